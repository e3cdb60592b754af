// The documents that the API passes on as they are: alerts and profiles, as crate `model` writes them.

export interface Evidence {
  source: string;
  detail: string;
}

export interface Program {
  path: string;
  applet?: { name: string } | { script: string };
}

export interface Fact {
  subject: 'any' | { program: Program };
  action: { verb: string; object: unknown };
  phases: string[];
  parent?: string;
  evidence: Evidence[];
  confidence: 'A' | 'B' | 'C';
}

export interface Denial {
  subject: Fact['subject'];
  verb: string;
  phases: string[];
  evidence: Evidence[];
  confidence: 'A' | 'B' | 'C';
}

export interface Facet {
  verb: string;
  phase: string;
  state: 'closed' | 'open';
  reason: string;
}

export interface Profile {
  main: Program | null;
  entrypoint: Program[];
  health_check: string[] | null;
  packs: string[];
  facts: Fact[];
  denials: Denial[];
  facets: Facet[];
}

export interface ProcessSummary {
  pid: number;
  exe: string;
  command_line: string;
  euid: number;
}

export interface Deviation {
  kind: string;
  verb: string;
  explanation: string;
  evidence: Evidence[];
  confidence: string;
}

export interface RuleReason {
  name: string;
  output: string;
  condition: string;
  values: { field: string; value: string | null }[];
  tags: string[];
  priority: string;
}

export type Reason = { deviation: Deviation } | { rule: RuleReason };

export interface AlertDocument {
  id: string;
  time_ns: number;
  priority: string;
  rule: string;
  summary: string;
  reasons: Reason[];
  node: string;
  container_id: string | null;
  container_name: string | null;
  runtime: string | null;
  image: { reference: string; manifest_digest: string | null; config_digest: string | null } | null;
  pod: { name: string; namespace: string; uid: string } | null;
  phase: string | null;
  process: ProcessSummary | null;
  ancestry: ProcessSummary[];
  observed: string;
  expected: { text: string; evidence: Evidence[]; confidence: string }[];
  executable: {
    path: string;
    is_in_image: boolean;
    is_modified: boolean;
    digest: string | null;
    package: string | null;
    layer_diff_id: string | null;
    layer_created_by: string | null;
    vulnerabilities: [string, string][];
    vulnerability_count: number;
    known_exploited: boolean;
  } | null;
  techniques: string[];
  lost_events: number;
  allow: Fact | null;
  follow_ups: { time_ns: number; observed: string; rules: string[] }[];
  count: number;
}

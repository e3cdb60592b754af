// Facts of a profile as text for people.
import type { Fact, Program } from './documents';

/** `redis-server` for a multi-call binary, the script's path for an interpreter, else the path. */
export function programName(program: Program): string {
  if (!program.applet) return program.path;
  if ('name' in program.applet) return `${program.applet.name} (${program.path})`;
  return `${program.applet.script} (run by ${program.path})`;
}

export const subjectName = (subject: Fact['subject']): string => (subject === 'any' ? 'any process' : programName(subject.program));

interface Port {
  transport: string;
  first: number;
  last: number;
}

const portText = (port: Port): string => `${port.transport}/${port.first === port.last ? port.first : `${port.first}–${port.last}`}`;

/** What the action is done to, in words. */
export function objectText({ verb, object }: Fact['action']): string {
  switch (verb) {
    case 'exec':
      return programName(object as Program);
    case 'listen':
      return portText(object as Port);
    case 'connect': {
      const peer = object as { scope: string; port: Port | null };
      return `${peer.scope} addresses${peer.port ? `, ${portText(peer.port)}` : ''}`;
    }
    case 'become': {
      const user = object as { uid: number; name: string | null };
      return user.name ? `${user.name} (${user.uid})` : String(user.uid);
    }
    default:
      return String(object);
  }
}

/** The verb as the middle of a sentence. */
export const VERBS: Record<string, string> = {
  exec: 'starts',
  load: 'loads',
  listen: 'listens on',
  connect: 'connects to',
  write: 'writes',
  become: 'becomes',
};

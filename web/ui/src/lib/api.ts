// The server's REST API, one function per call. Types come from the committed `openapi.json` (`npm run types`).
import type { components } from './openapi';
import { session } from './session.svelte';

type Schemas = components['schemas'];
export type Me = Schemas['Me'];
export type Overview = Schemas['Overview'];
export type AlertSummary = Schemas['AlertSummary'];
export type AlertGroup = Schemas['AlertGroup'];
export type AlertRecord = Schemas['AlertDetail'];
export type ImageSummary = Schemas['ImageSummary'];
export type ImageDetail = Schemas['ImageDetail'];
export type VulnerabilityRow = Schemas['VulnerabilityRow'];
export type PackageRow = Schemas['PackageRow'];
export type Workload = Schemas['Workload'];
export type AdmissionDecision = Schemas['AdmissionDecision'];
export type Agent = Schemas['Agent'];
export type Enrolment = Schemas['Enrolment'];
export type User = Schemas['User'];
export type ApiToken = Schemas['ApiToken'];
export type Settings = Schemas['Settings'];
export type Waiver = Schemas['StoredWaiver'];
export type AuditEntry = Schemas['AuditEntry'];
export type ScanRequest = Schemas['ScanRequest'];
export type Role = Schemas['Role'];

/** A page of rows, and the cursor of the next page. */
export interface Rows<T> {
  rows: T[];
  next?: string | null;
}

/** The server said no, and why. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (method !== 'GET' && session.csrf) headers['x-csrf-token'] = session.csrf;
  const response = await fetch(`/api/v1${path}`, {
    method,
    headers,
    credentials: 'same-origin',
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
  if (response.status === 401 && session.user) session.user = null;
  const answer: unknown = await response.json().catch(() => null);
  throw new ApiError(response.status, messageOf(answer) ?? `The server answered ${response.status}.`);
}

function messageOf(answer: unknown): string | undefined {
  const message = (answer as Schemas['ErrorBody'] | null)?.error?.message;
  return typeof message === 'string' ? message.charAt(0).toUpperCase() + message.slice(1) : undefined;
}

type Query = URLSearchParams | Record<string, string>;

function get<T>(path: string, query?: Query): Promise<T> {
  const text = query ? new URLSearchParams(query).toString() : '';
  return call('GET', text ? `${path}?${text}` : path);
}

const part = encodeURIComponent;

export const whoAmI = (): Promise<Me> => get('/me');
export const logIn = (name: string, password: string): Promise<Me> => call('POST', '/session', { name, password });
export const logOut = (): Promise<void> => call('DELETE', '/session');
export const changePassword = (current: string, fresh: string): Promise<void> =>
  call('POST', '/me/password', { current, new: fresh });

export const getOverview = (query: Query): Promise<Overview> => get('/overview', query);

export const listAlerts = (query: Query): Promise<Rows<AlertSummary>> => get('/alerts', query);
export const listAlertGroups = (query: Query): Promise<Rows<AlertGroup>> => get('/alert-groups', query);
export const findAlert = (id: string): Promise<AlertRecord> => get(`/alerts/${part(id)}`);
export const acknowledgeAlert = (id: string, comment: string): Promise<unknown> =>
  call('POST', '/alerts/acknowledge', { ids: [id], comment });
export const acknowledgeGroup = (group: string, until_ms: number, comment: string): Promise<unknown> =>
  call('POST', '/alerts/acknowledge', { group, until_ms, comment });
export const reopenAlert = (id: string): Promise<void> => call('POST', `/alerts/${part(id)}/reopen`, {});

export const listImages = (query: Query): Promise<Rows<ImageSummary>> => get('/images', query);
export const findImage = (digest: string): Promise<ImageDetail> => get(`/images/${part(digest)}`);
export const listVulnerabilities = (digest: string, query: Query): Promise<Rows<VulnerabilityRow>> =>
  get(`/images/${part(digest)}/vulnerabilities`, query);
export const listPackages = (digest: string, query: Query): Promise<Rows<PackageRow>> =>
  get(`/images/${part(digest)}/packages`, query);
export const queueScan = (reference: string): Promise<ScanRequest> => call('POST', '/scan-requests', { reference });
export const listScanRequests = (query: Query): Promise<Rows<ScanRequest>> => get('/scan-requests', query);

export const listWorkloads = (query: Query): Promise<Rows<Workload>> => get('/workloads', query);
export const listAdmissions = (query: Query): Promise<Rows<AdmissionDecision>> => get('/admission-decisions', query);

export const listAgents = (): Promise<Agent[]> => get('/agents');
export const revokeAgent = (id: number): Promise<void> => call('DELETE', `/agents/${id}`);
export const listEnrolments = (): Promise<Enrolment[]> => get('/enrolment-tokens');
export const addEnrolment = (uses: number, valid_hours: number): Promise<Schemas['AddedEnrolment']> =>
  call('POST', '/enrolment-tokens', { uses, valid_hours });
export const revokeEnrolment = (id: number): Promise<void> => call('DELETE', `/enrolment-tokens/${id}`);

export const listUsers = (): Promise<User[]> => get('/users');
export const addUser = (name: string, role: Role): Promise<Schemas['UserWithPassword']> => call('POST', '/users', { name, role });
export const changeUser = (id: number, role: Role, is_disabled: boolean): Promise<User> =>
  call('PUT', `/users/${id}`, { role, is_disabled });
export const resetPassword = (id: number): Promise<Schemas['UserWithPassword']> => call('POST', `/users/${id}/password`, {});

export const listTokens = (): Promise<ApiToken[]> => get('/tokens');
export const addToken = (name: string, role: Role, valid_days: number | null): Promise<Schemas['AddedToken']> =>
  call('POST', '/tokens', { name, role, valid_days });
export const removeToken = (id: number): Promise<void> => call('DELETE', `/tokens/${id}`);

export const getSettings = (): Promise<Settings> => get('/settings');
export const saveSettings = (settings: Settings): Promise<Settings> => call('PUT', '/settings', settings);
export const listWaivers = (): Promise<Waiver[]> => get('/waivers');
export const addWaiver = (waiver: Schemas['AddWaiver']): Promise<Waiver> => call('POST', '/waivers', waiver);
export const removeWaiver = (id: string): Promise<void> => call('DELETE', `/waivers/${part(id)}`);
export const listAudit = (query: Query): Promise<Rows<AuditEntry>> => get('/audit', query);

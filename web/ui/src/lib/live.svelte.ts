// New alerts as they arrive, by server-sent events. Screens read `version` and load again when it changes.

export const live = $state({ version: 0, unseen: 0, isConnected: false });

/** Screens load at most this often, however many alerts arrive. */
const QUIET_MS = 1000;

let source: EventSource | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

function changed(): void {
  timer ??= setTimeout(() => {
    timer = undefined;
    live.version += 1;
  }, QUIET_MS);
}

/** Begins to listen; the browser itself connects again after a break. */
export function connect(): void {
  source = new EventSource('/api/v1/events');
  source.addEventListener('open', () => {
    live.isConnected = true;
    changed();
  });
  source.addEventListener('error', () => {
    live.isConnected = false;
  });
  source.addEventListener('alert', () => {
    live.unseen += 1;
    changed();
  });
  source.addEventListener('lagged', changed);
}

export function disconnect(): void {
  source?.close();
  clearTimeout(timer);
  timer = undefined;
}

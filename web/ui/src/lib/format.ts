// Numbers, times and names as people read them.

const number = new Intl.NumberFormat('en');
export const count = (value: number): string => number.format(value);

/** `1.2k`, `3.4M`: for axes and tight places. */
export function compact(value: number): string {
  if (value < 1000) return String(value);
  if (value < 1e6) return `${(value / 1e3).toFixed(value < 1e4 ? 1 : 0)}k`;
  return `${(value / 1e6).toFixed(1)}M`;
}

const day = new Intl.DateTimeFormat('en-GB', { day: '2-digit', month: 'short', year: 'numeric' });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export function moment(time_ms: number): string {
  const date = new Date(time_ms);
  return `${day.format(date)} ${clock.format(date)}`;
}

const STEPS: [number, string][] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
];

/** `12 min ago`; future times (clock skew between nodes) read `just now`. */
export function ago(time_ms: number, now_ms: number = Date.now()): string {
  const passed = now_ms - time_ms;
  for (const [size, unit] of STEPS) {
    if (passed >= size) return `${Math.floor(passed / size)} ${unit} ago`;
  }
  return 'just now';
}

/** First 12 digits of a digest, as container engines show it. */
export const short = (digest: string): string => digest.replace(/^sha256:/, '').slice(0, 12);

export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;

/** `unexpected-exec` becomes `Unexpected exec`. */
export function sentence(text: string): string {
  const words = text.replaceAll(/[-_]/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

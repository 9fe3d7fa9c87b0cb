/** Start position of `listen`: the values of `--from`. */

/** A number is a time, in milliseconds since 1970. */
export type Start = 'beginning' | 'end' | number;

/** Values of {@link parseStart} that are times, for messages. */
export const TIME_EXPECTED =
  'a time since 1970 such as 2026-11-25T09:30:00Z, ' +
  'or an age of up to 999999999 s, m, h or d such as -15m';

const RELATIVE = /^-(\d{1,9})([smhd])$/;
const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const ABSOLUTE =
  /^\d{4}-\d{2}-\d{2}(?<time>T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(?<zone>Z|[+-]\d{2}:\d{2})?)?$/;

/** Parses the value of `--from`; undefined if invalid. A time without a zone is UTC. */
export function parseStart(text: string, nowMs: number): Start | undefined {
  if (text === 'beginning' || text === 'end') return text;
  const [, amount, unit = ''] = RELATIVE.exec(text) ?? [];
  // Kafka reserves negative timestamps.
  if (amount !== undefined) return Math.max(0, nowMs - Number(amount) * (UNIT_MS[unit] ?? 0));
  const groups = ABSOLUTE.exec(text)?.groups;
  if (groups === undefined || !isDay(text.slice(0, 10))) return undefined;
  const { time, zone } = groups;
  const atMs = Date.parse(time !== undefined && zone === undefined ? `${text}Z` : text);
  return atMs >= 0 ? atMs : undefined;
}

/** Rejects dates such as February 30, which JavaScript takes for March 2. */
function isDay(text: string): boolean {
  const atMs = Date.parse(text);
  return !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(text);
}

/** Wording for a sentence such as `reading … from …`. */
export function describeStart(start: Start): string {
  return typeof start === 'number' ? new Date(start).toISOString() : `its ${start}`;
}

import type { ShownViolation, TailEntry } from '../../tail/entry.ts';
import { TAIL_LIMITS } from '../../tail/limits.ts';
import { Explainer } from '../explain/explainer.ts';
import type { Draft } from './entries.ts';

/** Part of the explainer that is used. */
export type Explains = Pick<Explainer, 'explain' | 'hasRoom' | 'close'>;

/** Bytes of the names of the lists, and of the number in one. */
const LISTS_BYTES = 60;

/** Adds all violations of their schema to entries, as far as there is time. */
export class ExplainedEntries {
  readonly #explainer: Explains;

  /** @param explainer by default one of its own: bodies with ?explain=1 lose no time to the tail */
  constructor(explainer: Explains = new Explainer()) {
    this.#explainer = explainer;
  }

  /** Adds their violations to entries, which have their first one; then calls `done`. */
  explain(drafts: readonly Draft[], done: () => void): void {
    let bytes = 0;
    const explained = drafts.filter(({ explained: event }) => {
      bytes += event?.text.length ?? 0;
      return event !== undefined && bytes <= TAIL_LIMITS.parsedBytes;
    });
    for (const { entry, explained: event } of drafts) {
      if (event !== undefined) entry.unexplained = 'rate_limited';
    }
    if (explained.length === 0 || !this.#explainer.hasRoom) return done();
    this.#explainer.explain(
      explained.map(({ explained: event }) => event!),
      (result) => {
        for (const [index, { entry }] of explained.entries()) {
          if (typeof result === 'string') entry.unexplained = result;
          else addViolations(entry, result[index]!);
        }
        done();
      },
    );
  }

  /** Ends the thread. */
  close(): void {
    this.#explainer.close();
  }
}

function addViolations(
  entry: TailEntry,
  { violations, omitted }: { violations: readonly ShownViolation[]; omitted?: number },
): void {
  // The first one stays if the schema has changed meanwhile.
  if (violations.length === 0) return;
  entry.at = violations[0]!.path;
  entry.violations = violations;
  entry.violationsOmitted = omitted;
  entry.unexplained = undefined;
}

/** Returns an entry as JSON of a limited size, with as many violations as fit. */
export function completeEntry(entry: TailEntry): string {
  const { violations = [], violationsOmitted = 0, ...whole } = entry;
  const isTooLarge = bytesOf(whole) > TAIL_LIMITS.entryBytes - LISTS_BYTES;
  const rest = isTooLarge
    ? { ...whole, event: undefined, redacted: undefined, raw: undefined, isCut: true }
    : whole;
  let room = TAIL_LIMITS.entryBytes - LISTS_BYTES - bytesOf(rest);
  const fitting: ShownViolation[] = [];
  for (const violation of violations) {
    room -= bytesOf(violation) + 1;
    if (room < 0) break;
    fitting.push(violation);
  }
  const omitted = violations.length - fitting.length + violationsOmitted;
  return JSON.stringify({
    ...rest,
    ...(fitting.length > 0 && { violations: fitting }),
    ...(omitted > 0 && { violationsOmitted: omitted }),
  });
}

function bytesOf(value: object): number {
  return Buffer.byteLength(JSON.stringify(value));
}

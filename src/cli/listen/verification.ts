/**
 * Checks of `--verify`: repeats by id, and with `--sequence-field` gaps in each client's numbers.
 * An event with the header fb-resent may repeat another one.
 */

import type { JsonObject } from '../../common/json-object.ts';
import { LIMITS } from '../../config/limits.ts';
import { hasHeader, RESENT_HEADER } from '../../kafka/record-headers.ts';
import { fieldAt } from './event.ts';
import type { ListenedRecord } from './format.ts';
import { Repeats } from './repeats.ts';
import { Sequences } from './sequences.ts';

export interface VerificationOptions {
  /** Path of an event's id. */
  readonly idField: string;
  /** Path of the number that each client increments; undefined = check ids only. */
  readonly sequenceField: string | undefined;
  /** Receives the output lines. */
  readonly say: (line: string) => void;
}

export class Verification {
  readonly #options: VerificationOptions;
  readonly #repeats: Repeats;
  readonly #sequences: Sequences | undefined;
  #found = 0;

  constructor(options: VerificationOptions) {
    this.#options = options;
    this.#repeats = new Repeats(options.idField, LIMITS.listenIds);
    if (options.sequenceField !== undefined) {
      const { listenClients: clientsMax, listenRanges: rangesMax } = LIMITS;
      this.#sequences = new Sequences({ clientsMax, rangesMax });
    }
  }

  /** Checks the next record of its partition and reports findings. */
  check(record: ListenedRecord, event: JsonObject | undefined): void {
    const marked = hasHeader(record.headers, RESENT_HEADER);
    const repeat = this.#repeats.check(event, marked);
    if (repeat?.isMarked === false) this.#report(`repeat of ${repeat.id}`, record);
    const { sequenceField } = this.#options;
    if (this.#sequences === undefined || sequenceField === undefined) return;
    // An original after its marked repeat is not marked itself.
    const mayRepeat = marked || repeat?.isMarked === true;
    const found = this.#sequences.check(record.key, fieldAt(event, sequenceField), mayRepeat);
    if (found !== undefined) this.#report(found, record);
  }

  /** Whether no repeats and no missing numbers were found. */
  get clean(): boolean {
    const { missing = 0, repeats = 0 } = this.#sequences?.summary ?? {};
    return this.#repeats.summary.repeats + repeats + missing === 0;
  }

  /** Summary, a line each. */
  describe(): string[] {
    const sequences = this.#sequences?.describe();
    return [this.#repeats.describe(), ...(sequences === undefined ? [] : [sequences])];
  }

  #report(found: string, { partition, offset }: ListenedRecord): void {
    this.#found++;
    const { say } = this.#options;
    if (this.#found <= LIMITS.listenFindings)
      say(`${found} at partition ${partition} offset ${offset}`);
    if (this.#found === LIMITS.listenFindings) say('further findings are only counted');
  }
}

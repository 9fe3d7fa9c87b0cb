/** What `--verify` does: repeats by id, and by `--sequence-field` what each client's numbers tell. */

import type { JsonObject } from '../../common/json-object.ts';
import { LIMITS } from '../../config/limits.ts';
import { fieldAt } from './event.ts';
import type { ListenedRecord } from './format.ts';
import { Repeats } from './repeats.ts';
import { Sequences } from './sequences.ts';

export interface VerificationOptions {
  readonly idField: string;
  /** Place in the event of the number that a client counts up; undefined = by id alone. */
  readonly sequenceField: string | undefined;
  /** Takes a line for people. */
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

  /** Looks at the next record of its partition, and tells what is wrong with it. */
  look(record: ListenedRecord, event: JsonObject | undefined): void {
    const id = this.#repeats.look(event);
    if (id !== undefined) this.#tell(`repeat of ${id}`, record);
    const { sequenceField } = this.#options;
    if (this.#sequences === undefined || sequenceField === undefined) return;
    const found = this.#sequences.look(record.key, fieldAt(event, sequenceField));
    if (found !== undefined) this.#tell(found, record);
  }

  /** Whether nothing is there twice or missing. */
  get clean(): boolean {
    const { missing = 0, repeats = 0 } = this.#sequences?.summary ?? {};
    return this.#repeats.summary.repeats + repeats + missing === 0;
  }

  /** The outcome, a line each for people. */
  describe(): string[] {
    const sequences = this.#sequences?.describe();
    return [this.#repeats.describe(), ...(sequences === undefined ? [] : [sequences])];
  }

  #tell(found: string, { partition, offset }: ListenedRecord): void {
    this.#found++;
    const { say } = this.#options;
    if (this.#found <= LIMITS.listenFindings)
      say(`${found} at partition ${partition} offset ${offset}`);
    if (this.#found === LIMITS.listenFindings) say('what is found from here on is only counted');
  }
}

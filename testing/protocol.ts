/** Server side of `forebay.v1` as seen by a client: parsed and validated. */

export interface Credit {
  readonly frames: number;
  readonly bytes: number;
}

export interface Hello {
  /** Only with a stream file. */
  readonly streams?: readonly string[];
  readonly maxFrameBytes: number;
  readonly maxFrameEvents: number;
  readonly credit: Credit;
}

export interface NackError {
  readonly code: string;
  readonly retry: boolean;
  readonly retryAfterMs?: number;
  /** First and last index of events; undefined = the whole frame. */
  readonly events?: readonly (readonly [number, number])[];
  readonly message: string;
}

export interface Goaway {
  readonly reason: string;
  readonly reconnectMs: number;
}

export interface News {
  readonly ack?: number;
  readonly nack?: { readonly frame: number; readonly errors: readonly NackError[] };
  readonly violations: readonly string[];
}

interface ServerFrame {
  hello?: Hello;
  ack?: number;
  nack?: number;
  errors?: NackError[];
  credit?: Credit;
  goaway?: Goaway;
}

/** State of one connection's incoming messages. */
export class Incoming {
  hello: Hello | undefined;
  credit: Credit = { frames: 0, bytes: 0 };
  goaway: Goaway | undefined;
  acknowledged = 0;
  readonly #nacked = new Set<number>();

  /** @param sent number of the last frame that the client sent */
  take(text: string, sent: number): News {
    const violations: string[] = [];
    const demand = (holds: boolean, what: string) => {
      if (!holds) violations.push(`${what}: ${text.slice(0, 200)}`);
    };
    const frame = JSON.parse(text) as ServerFrame;
    const { hello, ack, nack, errors = [], credit, goaway } = frame;
    demand(hello !== undefined || this.hello !== undefined, 'hello is not the first frame');
    if (hello !== undefined) {
      demand(this.hello === undefined, 'second hello');
      demand(hello.credit.bytes >= hello.maxFrameBytes, 'first grant below a frame');
      this.hello = hello;
    }
    this.#grant(hello?.credit ?? credit, demand);
    if (nack !== undefined) {
      demand(nack > this.acknowledged && nack <= sent, 'nack outside of the frames in flight');
      demand(!this.#nacked.has(nack), 'second nack of a frame');
      this.#nacked.add(nack);
      checkErrors(errors, demand);
    }
    if (ack !== undefined) {
      demand(ack > this.acknowledged && ack <= sent, 'ack outside of the frames in flight');
      this.acknowledged = ack;
      for (const number of this.#nacked) if (number <= ack) this.#nacked.delete(number);
    }
    if (goaway !== undefined) this.goaway = goaway;
    const refusal = nack === undefined ? {} : { nack: { frame: nack, errors } };
    return { ...(ack === undefined ? {} : { ack }), ...refusal, violations };
  }

  #grant(credit: Credit | undefined, demand: (holds: boolean, what: string) => void): void {
    if (credit === undefined) return;
    const rises = credit.frames >= this.credit.frames && credit.bytes >= this.credit.bytes;
    demand(rises, 'credit decreased');
    this.credit = credit;
  }
}

function checkErrors(
  errors: readonly NackError[],
  demand: (holds: boolean, what: string) => void,
): void {
  demand(errors.length > 0, 'nack without errors');
  demand(
    new Set(errors.map(({ code }) => code)).size === errors.length,
    'duplicate code in a nack',
  );
  for (const { retry, retryAfterMs, message } of errors) {
    demand(retry === (retryAfterMs !== undefined), 'retryAfterMs without retry');
    demand(message.length <= 200, 'long message');
  }
}

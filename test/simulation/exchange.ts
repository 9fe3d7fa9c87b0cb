import type { EventCode } from '../../src/common/errors.ts';
import type { NackError } from '../../testing/protocol.ts';
import { FakeResponse } from '../fakes/uws.ts';
import type { ClientWorld } from './client-world.ts';
import { checkRefusal, frameOf, type SimEvent } from './events.ts';

interface HttpBody {
  readonly accepted: number;
  readonly errors: readonly NackError[];
}

/** Tolerance for responses beyond the gateway's own time limit. */
const ANSWER_SLACK_MS = 1_200;
/** Maximum time between the parts of a slow body, during which streams may be reloaded. */
const SLOW_BODY_MS = 2_000;

export interface ExchangeOptions {
  /** Name of the client. */
  readonly name: string;
  /** Distinguishes the exchange from the client's others. */
  readonly number: number;
  /** Path of its events below `/events`. */
  readonly path: string;
  /** Time limit of the gateway. */
  readonly timeoutMs: number;
  /** All of its events are declared as possible repeats. */
  readonly isDeclared: boolean;
}

/** Called with the events to send again, and the time to wait before. */
type Ended = (again: readonly SimEvent[], pauseMs: number) => void;

/** A POST: sends a body, and checks the response. */
export class Exchange {
  readonly events: readonly SimEvent[];
  readonly #name: string;
  readonly #world: ClientWorld;
  readonly #response: FakeResponse;
  readonly #ended: Ended;
  #isAborted = false;
  #stalledMs = 0;

  constructor(
    world: ClientWorld,
    { name, number, path, timeoutMs, isDeclared }: ExchangeOptions,
    events: readonly SimEvent[],
    ended: Ended,
  ) {
    const { clock, random, report } = world;
    this.#name = name;
    this.#world = world;
    this.events = events;
    this.#ended = ended;
    const dispatch = { transport: 'http', isResent: isDeclared } as const;
    for (const event of events) {
      event.attempt++;
      world.sent(event, `${name}/post ${number}`, dispatch);
    }
    const sent = events.map((event) => ({ ...event }));
    const body = Buffer.from(frameOf(events, random));
    const isArray = body[0] === 0x5b;
    const bodyMs = random.log(0.1, random.chance(0.2) ? SLOW_BODY_MS : 30);
    const lastMs = clock.nowMs + bodyMs + timeoutMs + ANSWER_SLACK_MS;
    const response = new FakeResponse({
      onEnd: (status, text) => {
        if (this.#isAborted) return;
        const late = clock.nowMs - lastMs - this.#stalledMs;
        report.demand(late <= 0, `${name} is answered ${Math.round(late)} ms late`);
        this.#answered(status, text);
      },
      onLastChunk: () => world.arrived(sent),
    });
    this.#response = response;
    world.begins(sent);
    const declaration = isDeclared
      ? random.pick(['header', 'header', 'query'] as const)
      : undefined;
    world.post(response, { bytes: body.length, isNdjson: !isArray, path, declaration });
    const cut = random.int(0, body.length);
    response.arrive(body.subarray(0, cut), false);
    clock.after(bodyMs, () => response.arrive(body.subarray(cut), true));
  }

  /** Disconnects before the response: its events may be stored. */
  abort(): void {
    this.#isAborted = true;
    this.#response.abort();
    for (const event of this.events) event.isRepeat = true;
  }

  /** The process that serves it did not run for `ms`. */
  stalled(ms: number): void {
    this.#stalledMs += ms;
  }

  #answered(status: number, text: string): void {
    const { note, report, ledger } = this.#world;
    note(() => `${this.#name} is answered ${status} ${text.slice(0, 160).trim()}`);
    const { accepted, errors } = JSON.parse(text) as HttpBody;
    const events: (SimEvent | undefined)[] = [...this.events];
    const again: SimEvent[] = [];
    let pauseMs = 1;
    const all = [[0, events.length - 1] as const];
    for (const error of errors) {
      const { code, retry, retryAfterMs = 0, events: named = all } = error;
      pauseMs = Math.max(pauseMs, retryAfterMs);
      if (code === 'timeout') report.count('http timeout');
      for (const [first, last] of named) {
        for (let index = first; index <= last; index++) {
          const event = events[index];
          if (event === undefined) report.violation(`${this.#name}: event ${index} rejected twice`);
          else {
            events[index] = undefined;
            ledger.refused(event.id, code as EventCode, event.attempt);
            checkRefusal(event, error, report);
            if (code === 'timeout') event.isRepeat = true;
            if (retry) again.push(event);
          }
        }
      }
    }
    const stored = events.filter((event) => event !== undefined);
    report.demand(stored.length === accepted, `${this.#name}: ${accepted} accepted, ${text}`);
    for (const { id, attempt } of stored) ledger.acknowledged(id, attempt);
    const expected = errors.length === 0 ? status === 200 : status !== 200;
    report.demand(expected, `${this.#name}: ${status} with ${errors.length} errors`);
    this.#ended(again, pauseMs);
  }
}

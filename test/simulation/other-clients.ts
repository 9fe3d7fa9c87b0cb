import type { EventCode } from '../../src/common/errors.ts';
import type { NackError } from '../../testing/protocol.ts';
import { FakeResponse, type FakeSocket, type Peer } from '../fakes/uws.ts';
import { checkRefusal } from './ack-client.ts';
import { type Client, type ClientWorld, Pipe } from './client-world.ts';
import { type EventMaker, frameOf, type SimEvent } from './events.ts';

/** A plain client: sends, and receives nothing. */
export class PlainClient implements Client {
  readonly #name: string;
  readonly #world: ClientWorld;
  readonly #maker: EventMaker;
  #socket: FakeSocket | undefined;
  #up: Pipe;
  #connections = 0;
  #left = false;

  constructor(name: string, world: ClientWorld, maker: EventMaker) {
    this.#name = name;
    this.#world = world;
    this.#maker = maker;
    this.#up = new Pipe(world);
    this.#connect();
  }

  get done(): boolean {
    return true;
  }
  get state(): string {
    return `${this.#name}: plain`;
  }

  give(count: number): void {
    if (this.#left || this.#socket === undefined) return;
    const { ledger, random } = this.#world;
    for (let left = count; left > 0; ) {
      const events = Array.from({ length: random.int(1, Math.min(3, left)) }, () =>
        this.#maker.make(),
      );
      left -= events.length;
      for (const event of events) {
        event.attempt = 1;
        const connection = `${this.#name}/${this.#connections}`;
        ledger.sent(event.id, 1, { key: event.key, connection });
      }
      const text = frameOf(events, random);
      const socket = this.#socket;
      this.#up.push(() => {
        this.#world.begins(events);
        socket.deliver(text);
      });
    }
  }

  cut(): void {
    this.#socket?.lost();
  }

  leave(): void {
    this.#left = true;
    this.#socket?.lost(1000);
  }

  #connect(): void {
    if (this.#left) return;
    const { clock, random, report } = this.#world;
    this.#up = new Pipe(this.#world);
    this.#connections++;
    const peer: Peer = {
      receive: (text) => report.violation(`a plain client receives ${text}`),
      pinged: () => {},
      gone: () => {
        this.#socket = undefined;
        clock.after(random.log(1, 500), () => this.#connect());
      },
    };
    this.#socket = this.#world.connect('', peer, this.#maker.path);
  }
}

interface HttpBody {
  readonly accepted: number;
  readonly errors: readonly NackError[];
}

/** Tolerance for responses beyond the gateway's own time limit. */
const ANSWER_SLACK_MS = 1_200;

/** Posts events, one request at a time, and retries retryable rejections. */
export class HttpClient implements Client {
  readonly #name: string;
  readonly #world: ClientWorld;
  readonly #maker: EventMaker;
  readonly #timeoutMs: number;
  #queue: SimEvent[] = [];
  #resting = 0;
  #requests = 0;
  #response: FakeResponse | undefined;
  #open: SimEvent[] = [];
  #left = false;
  #stalledMs = 0;

  constructor(name: string, world: ClientWorld, maker: EventMaker, timeoutMs: number) {
    this.#name = name;
    this.#world = world;
    this.#maker = maker;
    this.#timeoutMs = timeoutMs;
  }

  get done(): boolean {
    return this.#left || (this.#queue.length + this.#resting === 0 && this.#response === undefined);
  }
  get state(): string {
    return `${this.#name}: ${this.#queue.length} wait, open ${this.#open.length}`;
  }

  give(count: number): void {
    if (this.#left) return;
    for (let index = 0; index < count; index++) this.#queue.push(this.#maker.make());
    this.#post();
  }

  /** Disconnects before the response and resends. */
  cut(): void {
    if (this.#response === undefined) return;
    this.#world.report.count('http aborted');
    this.#response.abort();
    this.#queue = [...this.#open, ...this.#queue];
    this.#response = undefined;
    this.#open = [];
    this.#rest([], 20);
  }

  leave(): void {
    this.#left = true;
    this.#response?.abort();
    this.#response = undefined;
  }

  stalled(ms: number): void {
    this.#stalledMs += ms;
  }

  #post(): void {
    if (this.#response !== undefined || this.#queue.length === 0 || this.#left) return;
    const { random, ledger, clock, report } = this.#world;
    const events = this.#queue.splice(0, random.int(1, 12));
    const connection = `${this.#name}/${this.#requests++}`;
    for (const event of events) {
      event.attempt++;
      ledger.sent(event.id, event.attempt, { key: event.key, connection });
    }
    const body = Buffer.from(frameOf(events, random));
    const isArray = body[0] === 0x5b;
    const lastMs = clock.nowMs + this.#timeoutMs + ANSWER_SLACK_MS;
    const before = this.#stalledMs;
    const response = new FakeResponse({
      onEnd: (status, text) => {
        if (response !== this.#response) return;
        const late = clock.nowMs - lastMs - (this.#stalledMs - before);
        report.demand(late <= 0, `${this.#name} is answered ${Math.round(late)} ms late`);
        this.#answered(status, text);
      },
    });
    this.#response = response;
    this.#open = events;
    this.#world.begins(events);
    this.#world.post(response, body.length, !isArray, this.#maker.path);
    const cut = random.int(0, body.length);
    response.arrive(body.subarray(0, cut), false);
    clock.after(random.log(0.1, 30), () => response.arrive(body.subarray(cut), true));
  }

  #answered(status: number, text: string): void {
    const { note, report, ledger } = this.#world;
    note(() => `${this.#name} is answered ${status} ${text.slice(0, 160).trim()}`);
    const { accepted, errors } = JSON.parse(text) as HttpBody;
    const events: (SimEvent | undefined)[] = [...this.#open];
    const again: SimEvent[] = [];
    let pauseMs = 1;
    for (const { code, retry, retryAfterMs = 0, events: ranges = [] } of errors) {
      pauseMs = Math.max(pauseMs, retryAfterMs);
      if (code === 'timeout') report.count('http timeout');
      for (const [first, last] of ranges) {
        for (let index = first; index <= last; index++) {
          const event = events[index];
          if (event === undefined) report.violation(`${this.#name}: event ${index} rejected twice`);
          else {
            events[index] = undefined;
            ledger.refused(event.id, code as EventCode, event.attempt);
            checkRefusal(event, code, report);
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
    this.#response = undefined;
    this.#open = [];
    this.#rest(again, pauseMs);
  }

  #rest(again: readonly SimEvent[], ms: number): void {
    this.#resting++;
    this.#world.clock.after(ms, () => {
      this.#resting--;
      this.#queue.push(...again);
      this.#post();
    });
  }
}

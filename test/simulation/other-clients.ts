import type { FakeSocket, Peer } from '../fakes/uws.ts';
import { type Client, type ClientWorld, Pipe } from './client-world.ts';
import { type EventMaker, frameOf, type SimEvent } from './events.ts';
import { Exchange } from './exchange.ts';

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
    const { random } = this.#world;
    for (let left = count; left > 0; ) {
      const events = Array.from({ length: random.int(1, Math.min(3, left)) }, () =>
        this.#maker.make(),
      );
      left -= events.length;
      for (const event of events) {
        event.attempt = 1;
        const connection = `${this.#name}/${this.#connections}`;
        this.#world.sent(event, connection, { transport: 'ws', isResent: false });
      }
      const text = frameOf(events, random);
      const socket = this.#socket;
      this.#up.push(() => {
        this.#world.begins(events);
        this.#world.arrived(events);
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

/** Posts events, one request at a time, and retries retryable rejections. */
export class HttpClient implements Client {
  readonly #name: string;
  readonly #world: ClientWorld;
  readonly #maker: EventMaker;
  readonly #timeoutMs: number;
  #queue: SimEvent[] = [];
  #resting = 0;
  #requests = 0;
  #exchange: Exchange | undefined;
  /** Number of events of the next body, which is the same as the last one; undefined = any. */
  #bodyEvents: number | undefined;
  #left = false;

  constructor(name: string, world: ClientWorld, maker: EventMaker, timeoutMs: number) {
    this.#name = name;
    this.#world = world;
    this.#maker = maker;
    this.#timeoutMs = timeoutMs;
  }

  get done(): boolean {
    return this.#left || (this.#queue.length + this.#resting === 0 && this.#exchange === undefined);
  }
  get state(): string {
    return `${this.#name}: ${this.#queue.length} wait, open ${this.#exchange?.events.length ?? 0}`;
  }

  give(count: number): void {
    if (this.#left) return;
    for (let index = 0; index < count; index++) this.#queue.push(this.#maker.make());
    this.#post();
  }

  /** Disconnects before the response and resends, the same body or in other ones. */
  cut(): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    const { random, report } = this.#world;
    report.count('http aborted');
    exchange.abort();
    this.#queue = [...exchange.events, ...this.#queue];
    this.#exchange = undefined;
    if (random.chance(0.5)) this.#bodyEvents = exchange.events.length;
    this.#rest([], 20);
  }

  leave(): void {
    this.#left = true;
    this.#exchange?.abort();
    this.#exchange = undefined;
  }

  stalled(ms: number): void {
    this.#exchange?.stalled(ms);
  }

  #post(): void {
    if (this.#exchange !== undefined || this.#queue.length === 0 || this.#left) return;
    const { random, report } = this.#world;
    if (this.#bodyEvents !== undefined) report.count('body resent as a whole');
    const events = this.#queue.splice(0, this.#bodyEvents ?? random.int(1, 12));
    this.#bodyEvents = undefined;
    const options = {
      name: this.#name,
      number: this.#requests++,
      path: this.#maker.path,
      timeoutMs: this.#timeoutMs,
      isDeclared: events.some(({ isRepeat }) => isRepeat),
    };
    this.#exchange = new Exchange(this.#world, options, events, (again, pauseMs) => {
      this.#exchange = undefined;
      this.#rest(again, pauseMs);
    });
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

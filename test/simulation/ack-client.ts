import type { EventCode } from '../../src/common/errors.ts';
import { Incoming, type NackError } from '../../testing/protocol.ts';
import type { FakeSocket, Peer } from '../fakes/uws.ts';
import { type Client, type ClientWorld, Pipe } from './client-world.ts';
import { type EventMaker, frameOf, type SimEvent } from './events.ts';
import { topicOfId } from './streams.ts';

const FRAME_EVENTS_MAX = 6;
const GARBAGE = '{"id":';

/** Events of an unacknowledged frame, without the rejected ones. */
type OpenFrame = (SimEvent | undefined)[] | 'garbage' | 'garbage, refused';

/** One connection of an {@link AckClient}. */
class Connection {
  readonly incoming = new Incoming();
  readonly open = new Map<number, OpenFrame>();
  readonly up: Pipe;
  readonly down: Pipe;
  socket: FakeSocket | undefined;
  sent = 0;
  sentBytes = 0;

  constructor(world: ClientWorld) {
    this.up = new Pipe(world);
    this.down = new Pipe(world);
  }
}

/**
 * A client of `forebay.v1`: keeps unacknowledged events, reconnects, resends, waits for credit, and
 * checks the server against the protocol.
 */
export class AckClient implements Client {
  readonly #name: string;
  readonly #world: ClientWorld;
  readonly #maker: EventMaker;
  readonly #garbageRate: number;
  #queue: SimEvent[] = [];
  #connection: Connection | undefined;
  #connections = 0;
  /** Events that wait for their retry time. */
  #resting = 0;
  #left = false;

  constructor(name: string, world: ClientWorld, maker: EventMaker, garbageRate: number) {
    this.#name = name;
    this.#world = world;
    this.#maker = maker;
    this.#garbageRate = garbageRate;
    this.#connect();
  }

  get done(): boolean {
    return this.#left || (this.#queue.length + this.#resting === 0 && this.#open === 0);
  }

  get state(): string {
    const { sent, incoming } = this.#connection ?? {};
    const waiting = `${this.#queue.length} wait, ${this.#resting} rest, ${this.#open} frames open`;
    const credit = JSON.stringify(incoming?.credit);
    return `${this.#name}: ${waiting}, sent ${sent}, acked ${incoming?.acknowledged}, ${credit}`;
  }

  get #open(): number {
    return this.#connection?.open.size ?? 0;
  }

  give(count: number): void {
    if (this.#left) return;
    for (let index = 0; index < count; index++) this.#queue.push(this.#maker.make());
    this.#send();
  }

  cut(): void {
    const connection = this.#connection;
    if (connection?.socket === undefined) return;
    this.#world.report.count('connection cut');
    // Data in flight may still arrive, and server frames may be lost.
    if (this.#world.random.chance(0.5)) connection.up.break();
    if (this.#world.random.chance(0.5)) connection.down.break();
    connection.up.push(() => connection.socket?.lost());
    this.#world.clock.after(25, () => connection.socket?.lost());
  }

  leave(): void {
    if (this.#left) return;
    this.#world.report.count('client left');
    this.#left = true;
    this.#connection?.socket?.lost(1000);
  }

  #connect(): void {
    if (this.#left) return;
    const connection = new Connection(this.#world);
    this.#connection = connection;
    this.#connections++;
    const peer: Peer = {
      receive: (text) => connection.down.push(() => this.#receive(connection, text)),
      pinged: (message) =>
        connection.down.push(() => connection.up.push(() => connection.socket?.pong(message))),
      gone: (code, reason) => {
        connection.up.break();
        // The close frame follows everything sent before it.
        connection.down.push(() => connection.down.break());
        this.#world.clock.after(30, () => this.#lost(connection, code, reason));
      },
    };
    connection.socket = this.#world.connect('forebay.v1', peer, this.#maker.path);
    if (connection.socket === undefined) this.#lost(connection, 503, 'handshake refused');
  }

  #send(): void {
    const connection = this.#connection;
    if (connection?.socket === undefined || this.#left) return;
    const { random, ledger, report } = this.#world;
    const { incoming, open } = connection;
    while (this.#queue.length > 0 && incoming.goaway === undefined) {
      if (connection.sent >= incoming.credit.frames) break;
      const isGarbage = random.chance(this.#garbageRate);
      const events = isGarbage ? [] : this.#queue.slice(0, random.int(1, FRAME_EVENTS_MAX));
      for (const event of events) event.attempt++;
      const topics = new Set(events.map(({ id }) => topicOfId(id)));
      if (topics.size > 1) report.count('events of several topics in one frame');
      const text = isGarbage ? GARBAGE : frameOf(events, random);
      if (connection.sentBytes + text.length > incoming.credit.bytes) {
        for (const event of events) event.attempt--;
        break;
      }
      this.#queue.splice(0, events.length);
      connection.sent++;
      connection.sentBytes += text.length;
      open.set(connection.sent, isGarbage ? 'garbage' : events);
      for (const { id, attempt, key } of events) {
        ledger.sent(id, attempt, { key, connection: `${this.#name}/${this.#connections}` });
      }
      const sent = events.map((event) => ({ ...event }));
      connection.up.push(() => {
        this.#world.begins(sent);
        connection.socket?.deliver(text);
      });
    }
  }

  #receive(connection: Connection, text: string): void {
    const { report, note } = this.#world;
    if (connection !== this.#connection || this.#left) return;
    note(() => `${this.#name} receives ${text.slice(0, 160)}`);
    const { ack, nack, violations } = connection.incoming.take(text, connection.sent);
    if (text.includes('"goaway"')) report.count('goaway');
    for (const violation of violations) report.violation(`${this.#name}: ${violation}`);
    if (nack !== undefined) this.#refused(connection, nack.frame, nack.errors);
    if (ack !== undefined) this.#acknowledged(connection, ack);
    this.#send();
  }

  #refused({ open }: Connection, frame: number, errors: readonly NackError[]): void {
    const { report } = this.#world;
    const events = open.get(frame);
    if (events === undefined) return report.violation(`${this.#name}: nack of ${frame}, not open`);
    for (const error of errors) {
      if (events === 'garbage' || events === 'garbage, refused') {
        report.count('frame refused');
        report.demand(error.code === 'invalid_json', `garbage is rejected with ${error.code}`);
        open.set(frame, 'garbage, refused');
        continue;
      }
      for (const [first, last] of error.events ?? [[0, events.length - 1] as const]) {
        for (let index = first; index <= last; index++) this.#refuse(events, index, error);
      }
    }
  }

  #refuse(events: (SimEvent | undefined)[], index: number, error: NackError): void {
    const { ledger, report, clock } = this.#world;
    const event = events[index];
    if (event === undefined)
      return report.violation(`${this.#name}: event ${index} rejected twice`);
    events[index] = undefined;
    ledger.refused(event.id, error.code as EventCode, event.attempt);
    checkRefusal(event, error.code, report);
    if (!error.retry) return;
    this.#resting++;
    clock.after(error.retryAfterMs ?? 0, () => {
      this.#resting--;
      this.#queue.push(event);
      this.#send();
    });
  }

  #acknowledged({ open }: Connection, ack: number): void {
    const { ledger, report } = this.#world;
    for (const [frame, events] of open) {
      if (frame > ack) break;
      open.delete(frame);
      report.demand(
        events !== 'garbage',
        `${this.#name}: garbage in frame ${frame} is acknowledged`,
      );
      if (typeof events === 'string') continue;
      for (const event of events) {
        if (event === undefined) continue;
        ledger.acknowledged(event.id, event.attempt);
        report.demand(
          event.flavour === 'good',
          `${event.id} is ${event.flavour}, and acknowledged`,
        );
      }
    }
  }

  #lost(connection: Connection, code: number, reason: string): void {
    const { report, clock, random, note } = this.#world;
    connection.socket = undefined;
    if (connection !== this.#connection || this.#left) return;
    note(() => `${this.#name} is disconnected: ${code} ${reason}`);
    const expected = code === 1006 || code === 1012 || code === 503;
    report.demand(expected, `${this.#name} is closed with ${code} ${reason}`);
    const unsettled = [...connection.open.values()].flatMap((events) =>
      typeof events === 'string' ? [] : events.filter((event) => event !== undefined),
    );
    report.count('resend after reconnect', unsettled.length);
    this.#queue = [...unsettled, ...this.#queue];
    this.#connection = undefined;
    clock.after(random.log(1, 500), () => this.#connect());
  }
}

/** Checks whether the code fits the event. */
export function checkRefusal(
  { id, flavour }: SimEvent,
  code: string,
  report: ClientWorld['report'],
): void {
  if (flavour === 'wrong') {
    report.count('schema refused');
    // A frame may be too long as a whole, whatever it contains.
    const right = code === 'schema' || code === 'too_large';
    report.demand(right, `${id} violates the schema, and is rejected with ${code}`);
  } else if (flavour === 'stray') {
    report.count('unknown stream refused');
    const right = code === 'unknown_stream' || code === 'too_large';
    report.demand(right, `${id} has no stream, and is rejected with ${code}`);
  } else {
    const right = code !== 'schema' && code !== 'unknown_stream';
    report.demand(right, `${id} is valid, and is rejected with ${code}`);
  }
  if (code === 'buffer_full') report.count('buffer full');
}

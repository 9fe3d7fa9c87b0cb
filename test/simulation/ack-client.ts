import type { EventCode } from '../../src/common/errors.ts';
import { Incoming, type NackError } from '../../testing/protocol.ts';
import type { FakeSocket, Peer } from '../fakes/uws.ts';
import { type Client, type ClientWorld, Pipe } from './client-world.ts';
import { checkRefusal, type EventMaker, frameOf, isFull, type SimEvent } from './events.ts';
import { Exchange } from './exchange.ts';
import { topicOfId } from './streams.ts';

const FRAME_EVENTS_MAX = 6;
const BODY_EVENTS_MAX = 12;
const NORMAL_CLOSURE = 1000;
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
  /** Events sent, as the gateway counts them: a frame that is rejected as a whole is one. */
  sentEvents = 0;
  /** Number of first events that are declared as possible repeats. */
  readonly declared: number;
  /** Repeats among them that are not sent yet. */
  repeats: number;
  /** Frames of garbage among them, which are not sent yet. */
  garbage: number;
  /** The client closes it. */
  isClosing = false;

  constructor(world: ClientWorld, repeats: number, garbage: number) {
    this.up = new Pipe(world);
    this.down = new Pipe(world);
    this.repeats = repeats;
    this.garbage = garbage;
    this.declared = repeats + garbage;
  }
}

export interface AckClientOptions {
  readonly garbageRate: number;
  /** Time limit of the gateway for a POST. */
  readonly httpTimeoutMs: number;
}

/**
 * A client of `forebay.v1`: keeps unacknowledged events, reconnects, resends, waits for credit, and
 * checks the server against the protocol. It declares events that may be stored when it resends
 * them.
 *
 *   #queue      possible repeats, then others: sent in this order
 *   #repeats    possible repeats that came due on an open connection: by POST, or first on the next
 */
export class AckClient implements Client {
  readonly #name: string;
  readonly #world: ClientWorld;
  readonly #maker: EventMaker;
  readonly #options: AckClientOptions;
  /** Whether it sends {@link #repeats} by POST; otherwise it reconnects. */
  readonly #posts: boolean;
  /** Whether it resends frames as they were; otherwise it cuts others. */
  readonly #keepsFrames: boolean;
  /** Probability with which it loses its connection at a message of the server. */
  readonly #lossRate: number;
  #queue: SimEvent[] = [];
  #repeats: SimEvent[] = [];
  /** Number of events of each frame to resend as it was. */
  #frameEvents: number[] = [];
  #connection: Connection | undefined;
  #connections = 0;
  #exchange: Exchange | undefined;
  #posted = 0;
  /** Events that wait for their retry time. */
  #resting = 0;
  #left = false;

  constructor(name: string, world: ClientWorld, maker: EventMaker, options: AckClientOptions) {
    this.#name = name;
    this.#world = world;
    this.#maker = maker;
    this.#options = options;
    this.#posts = world.random.chance(0.5);
    this.#keepsFrames = world.random.chance(0.5);
    this.#lossRate = world.random.pick([0, 0, 0.03]);
    this.#connect();
  }

  get done(): boolean {
    return this.#left || (this.#waiting === 0 && this.#open === 0 && this.#exchange === undefined);
  }

  /** Events that are not on their way. */
  get #waiting(): number {
    return this.#queue.length + this.#repeats.length + this.#resting;
  }

  get state(): string {
    const { sent, incoming } = this.#connection ?? {};
    const waiting = `${this.#waiting} wait (${this.#resting} rest), ${this.#open} frames open`;
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
    if (this.#exchange !== undefined && this.#world.random.chance(0.5)) this.#abort(this.#exchange);
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
    this.#exchange?.abort();
    this.#connection?.socket?.lost(NORMAL_CLOSURE);
  }

  stalled(ms: number): void {
    this.#exchange?.stalled(ms);
  }

  #connect(): void {
    if (this.#left) return;
    const { random } = this.#world;
    this.#queue.unshift(...this.#repeats.splice(0));
    const repeats = this.#queue.filter(({ isRepeat }) => isRepeat).length;
    const garbage = this.#options.garbageRate > 0 && repeats > 0 ? random.int(0, 2) : 0;
    const connection = new Connection(this.#world, repeats, garbage);
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
    const { declared } = connection;
    const query = declared > 0 || random.chance(0.1) ? `?resent=${declared}` : '';
    connection.socket = this.#world.connect('forebay.v1', peer, this.#maker.path + query);
    if (connection.socket === undefined) this.#lost(connection, 503, 'handshake refused');
  }

  #send(): void {
    const connection = this.#connection;
    if (connection?.socket === undefined || this.#left) return;
    const { random } = this.#world;
    const { incoming, open } = connection;
    while (this.#queue.length > 0 && this.#maySend(connection)) {
      if (connection.sent >= incoming.credit.frames) break;
      const isGarbage = this.#sendsGarbage(connection);
      const size = this.#frameEvents[0] ?? random.int(1, FRAME_EVENTS_MAX);
      const events = isGarbage ? [] : this.#queue.slice(0, size);
      for (const event of events) event.attempt++;
      const text = isGarbage ? GARBAGE : frameOf(events, random);
      if (connection.sentBytes + text.length > incoming.credit.bytes) {
        for (const event of events) event.attempt--;
        break;
      }
      this.#queue.splice(0, events.length);
      if (isGarbage) connection.garbage--;
      else this.#frameEvents.shift();
      connection.sent++;
      connection.sentBytes += text.length;
      open.set(connection.sent, isGarbage ? 'garbage' : events);
      this.#sent(connection, events, isGarbage || text.length > incoming.hello!.maxFrameBytes);
      const sent = events.map((event) => ({ ...event }));
      connection.up.push(() => {
        this.#world.begins(sent);
        this.#world.arrived(sent);
        connection.socket?.deliver(text);
      });
    }
  }

  /** Returns whether frames may follow: not after `goaway`, nor before it reconnects. */
  #maySend({ incoming, isClosing }: Connection): boolean {
    const reconnects = isClosing || (!this.#posts && this.#repeats.length > 0);
    return incoming.goaway === undefined && !reconnects;
  }

  /** Chooses whether the next frame is garbage: among declared events, as many as declared. */
  #sendsGarbage({ repeats, garbage }: Connection): boolean {
    const { random } = this.#world;
    const { garbageRate } = this.#options;
    return repeats > 0 ? garbage > 0 && random.chance(0.5) : random.chance(garbageRate);
  }

  /** Records the events of a frame. @param isRefused the gateway rejects it as a whole */
  #sent(connection: Connection, events: readonly SimEvent[], isRefused: boolean): void {
    const { report } = this.#world;
    const topics = new Set(events.map(({ id }) => topicOfId(id)));
    if (topics.size > 1) report.count('events of several topics in one frame');
    const left = Math.max(0, connection.declared - connection.sentEvents);
    const isMixed = !isRefused && left > 0 && left < events.length;
    if (isMixed) report.count('frame with declared and other events');
    for (const [index, event] of events.entries()) {
      const isResent = index < left;
      report.demand(
        isResent || !event.isRepeat || isRefused,
        `the client itself: ${event.id} is not declared`,
      );
      if (event.isRepeat) connection.repeats--;
      const name = `${this.#name}/${this.#connections}`;
      this.#world.sent(event, name, { transport: 'ws', isResent });
    }
    connection.sentEvents += isRefused ? 1 : events.length;
  }

  /** Sends repeats that are due: by POST, or first on another connection. */
  #resend(): void {
    if (this.#repeats.length === 0 || this.#left) return;
    const { random, report } = this.#world;
    if (!this.#posts) {
      const connection = this.#connection;
      const { socket } = connection ?? {};
      if (connection === undefined || socket === undefined || connection.isClosing) return;
      // Events without a result would become repeats as well.
      if (this.#open > 0) return;
      report.count('reconnected to resend');
      connection.isClosing = true;
      return socket.lost(NORMAL_CLOSURE);
    }
    if (this.#exchange !== undefined) return;
    const events = this.#repeats.splice(0, random.int(1, BODY_EVENTS_MAX));
    report.count('repeat posted', events.length);
    const options = {
      name: this.#name,
      number: this.#posted++,
      path: this.#maker.path,
      timeoutMs: this.#options.httpTimeoutMs,
      isDeclared: true,
    };
    this.#exchange = new Exchange(this.#world, options, events, (again, pauseMs) => {
      this.#exchange = undefined;
      this.#rest(again, pauseMs);
      this.#resend();
    });
  }

  #abort(exchange: Exchange): void {
    this.#world.report.count('http aborted');
    exchange.abort();
    this.#exchange = undefined;
    this.#rest(exchange.events, 20);
  }

  /** Sends events again in `ms`. */
  #rest(events: readonly SimEvent[], ms: number): void {
    this.#resting += events.length;
    this.#world.clock.after(ms, () => {
      this.#resting -= events.length;
      for (const event of events) (event.isRepeat ? this.#repeats : this.#queue).push(event);
      this.#send();
      this.#resend();
    });
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
    this.#resend();
    if (this.#world.random.chance(this.#lossRate)) this.cut();
  }

  #refused({ open }: Connection, frame: number, errors: readonly NackError[]): void {
    const { report } = this.#world;
    const events = open.get(frame);
    if (events === undefined) return report.violation(`${this.#name}: nack of ${frame}, not open`);
    for (const error of errors) {
      if (events === 'garbage' || events === 'garbage, refused') {
        report.count('frame refused');
        const isRight = error.code === 'invalid_json' || isFull(error);
        report.demand(isRight, `garbage is rejected with ${error.code}`);
        open.set(frame, 'garbage, refused');
        continue;
      }
      for (const [first, last] of error.events ?? [[0, events.length - 1] as const]) {
        for (let index = first; index <= last; index++) this.#refuse(events, index, error);
      }
    }
  }

  #refuse(events: (SimEvent | undefined)[], index: number, error: NackError): void {
    const { ledger, report } = this.#world;
    const event = events[index];
    if (event === undefined)
      return report.violation(`${this.#name}: event ${index} rejected twice`);
    events[index] = undefined;
    ledger.refused(event.id, error.code as EventCode, event.attempt);
    checkRefusal(event, error, report);
    if (error.code === 'timeout') event.isRepeat = true;
    if (error.retry) this.#rest([event], error.retryAfterMs ?? 0);
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
    const isOwn = connection.isClosing && code === NORMAL_CLOSURE;
    const expected = isOwn || code === 1006 || code === 1012 || code === 503;
    report.demand(expected, `${this.#name} is closed with ${code} ${reason}`);
    const frames = [...connection.open.values()].flatMap((events) =>
      typeof events === 'string' ? [] : [events.filter((event) => event !== undefined)],
    );
    const unsettled = frames.flat();
    for (const event of unsettled) event.isRepeat = true;
    report.count('resend after reconnect', unsettled.length);
    if (unsettled.length > 0) {
      report.count(this.#keepsFrames ? 'frames resent as they were' : 'frames cut differently');
    }
    this.#frameEvents = this.#keepsFrames
      ? frames.map(({ length }) => length).filter((length) => length > 0)
      : [];
    this.#queue = [...unsettled, ...this.#queue];
    this.#connection = undefined;
    clock.after(random.log(1, 500), () => this.#connect());
  }
}

/**
 * A gateway in virtual time that stores, rejects and forgets events at random, cuts connections
 * and loses responses. It records each stored copy of an event with its mark.
 */
import type { SeededRandom } from '../../testing/random.ts';

export interface Copy {
  readonly id: string;
  readonly marked: boolean;
}

/** Probabilities of each kind of trouble, from 0 to 1. */
export interface Troubles {
  /** A handshake fails, or its `hello` never arrives. */
  readonly handshake: number;
  /** The connection ends after a frame, before its ack. */
  readonly cut: number;
  /** A frame is rejected as a whole. */
  readonly wholeFrame: number;
  /** An event is rejected temporarily. */
  readonly rejected: number;
  /** An event is rejected with `timeout`: stored at once, later, or never. */
  readonly timeout: number;
  readonly goaway: number;
  /** A body gets no response, or none of the gateway. */
  readonly post: number;
}

type Fate = 'stored' | 'timeout' | 'buffer_full' | 'draining' | 'kafka_unavailable';
interface Nack {
  readonly code: string;
  readonly retry: boolean;
  readonly retryAfterMs: number;
  readonly message: string;
  readonly events?: readonly (readonly [number, number])[];
}

const LATE_MS = 5_000;
const idsOf = (text: string) => ([JSON.parse(text)].flat() as { id: string }[]).map(({ id }) => id);
const after = (ms: number, act: () => void) => void setTimeout(act, ms);

export class ForgetfulGateway {
  readonly copies: Copy[] = [];
  /** Events marked although no earlier attempt to send them was made. */
  readonly overmarked: string[] = [];
  /** Numbers of declared events, one per handshake. */
  readonly declared: number[] = [];
  readonly posts: { readonly ids: readonly string[]; readonly marked: boolean }[] = [];
  readonly random: SeededRandom;
  troubles: Troubles;
  #sent = new Set<string>();

  constructor(random: SeededRandom, troubles: Troubles) {
    this.random = random;
    this.troubles = troubles;
  }

  chance(of: keyof Troubles): boolean {
    return this.random.chance(this.troubles[of]);
  }

  /** An attempt to send this event is made. */
  attempt(id: string, marked: boolean): void {
    if (marked && !this.#sent.has(id)) this.overmarked.push(id);
    this.#sent.add(id);
  }

  #fate(): Fate {
    if (this.chance('timeout')) return 'timeout';
    if (!this.chance('rejected')) return 'stored';
    return this.random.pick(['buffer_full', 'draining', 'kafka_unavailable']);
  }

  /** Decides about each event. @returns its rejections */
  receive(events: readonly Copy[]): Nack[] {
    const errors = new Map<string, [number, number][]>();
    for (const [index, copy] of events.entries()) {
      const fate = this.#fate();
      if (fate === 'stored') this.copies.push(copy);
      else errors.set(fate, [...(errors.get(fate) ?? []), [index, index]]);
      if (fate !== 'timeout' || this.random.chance(0.3)) continue;
      after(this.random.pick([1, LATE_MS]), () => this.copies.push(copy));
    }
    return [...errors].map(([code, ranges]) => this.rejection(code, ranges));
  }

  rejection(code: string, events?: readonly (readonly [number, number])[]): Nack {
    const retryAfterMs = this.random.int(1, 900);
    return { code, retry: true, retryAfterMs, message: code, ...(events && { events }) };
  }

  /** Class of the client's WebSockets. */
  get webSocket() {
    const gateway = this;
    return class extends ForgetfulSocket {
      constructor(url: string) {
        super(gateway, url);
      }
    };
  }

  /** `fetch` and, with `isBeacon`, `sendBeacon` of the client. */
  async post(url: string, { body, headers = {}, signal }: RequestInit, isBeacon = false) {
    const ids = idsOf(String(body));
    const isQuery = new URL(url).searchParams.get('resent') === '1';
    const marked = isQuery || new Headers(headers).get('forebay-resent') === '1';
    for (const id of ids) this.attempt(id, marked);
    if (ids.length > 0) this.posts.push({ ids, marked });
    const isLost = this.chance('post');
    await new Promise<void>((done) => after(this.random.int(1, 300), done));
    const how = isLost ? this.random.int(0, 4) : 5;
    if (how === 0) throw new TypeError('fetch failed');
    if (how === 1) return failure('buffer_full');
    const errors = this.receive(ids.map((id) => ({ id, marked })));
    await new Promise<void>((done) => after(this.random.int(1, 300), done));
    if (how === 2 || isBeacon || signal?.aborted) throw new TypeError('fetch failed');
    if (how === 3) return new Response('<html>', { status: 502 });
    if (how === 4) return new Response('', { status: 504 });
    const refused = errors.reduce((sum, { events }) => sum + events!.length, 0);
    return Response.json({ accepted: ids.length - refused, errors });
  }
}

function failure(code: string): Response {
  return Response.json({ error: { code, message: code } }, { status: 503 });
}

class ForgetfulSocket {
  onmessage: unknown;
  onclose: unknown;
  onerror: unknown;
  readyState = 0;
  readonly #gateway: ForgetfulGateway;
  /** Number of first events that are marked. */
  readonly #resent: number;
  /** Events that the client has sent, and that have arrived. */
  #sent = 0;
  #received = 0;
  #frames = 0;
  #frame = 0;
  #bytes = 0;
  /** Times of the last frame's arrival and response: both are in order. */
  readonly #lastMs = { arrival: 0, response: 0 };

  constructor(gateway: ForgetfulGateway, url: string) {
    this.#gateway = gateway;
    this.#resent = Number(new URL(url).searchParams.get('resent') ?? 0);
    gateway.declared.push(this.#resent);
    if (gateway.chance('handshake')) after(gateway.random.int(1, 800), () => this.#end());
    else after(gateway.random.int(1, 200), () => this.#open());
  }

  #open(): void {
    const { random } = this.#gateway;
    this.readyState = 1;
    // Without a hello nothing may be sent.
    if (this.#gateway.chance('handshake')) return after(500, () => this.#end());
    const limits = { maxFrameBytes: 400, maxFrameEvents: random.int(1, 8) };
    this.#say({ hello: { ...limits, credit: this.#credit } });
  }

  get #credit() {
    return { frames: this.#frame + 4, bytes: this.#bytes + 1_000 };
  }

  #say(frame: object): void {
    const handler = this.onmessage as (event: object) => void;
    if (this.readyState === 1) handler({ data: JSON.stringify(frame) });
  }

  #end(code = 1006): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    (this.onclose as (event: object) => void)({ code, reason: '' });
  }

  close(): void {
    this.#end();
  }

  send(text: string): void {
    if (this.readyState !== 1) return;
    const gateway = this.#gateway;
    for (const id of idsOf(text)) gateway.attempt(id, this.#sent++ < this.#resent);
    const number = ++this.#frames;
    this.#next('arrival', () => this.#arrive(number, text));
  }

  #next(what: 'arrival' | 'response', act: () => void): void {
    const nowMs = performance.now();
    const { random } = this.#gateway;
    this.#lastMs[what] = Math.max(this.#lastMs[what], nowMs) + random.int(1, 100);
    after(this.#lastMs[what] - nowMs, act);
  }

  #arrive(number: number, text: string): void {
    if (this.readyState !== 1) return;
    const gateway = this.#gateway;
    if (gateway.chance('cut')) return this.#end();
    this.#frame = number;
    this.#bytes += text.length;
    let errors: Nack[];
    if (gateway.chance('wholeFrame')) {
      // Counts as one event, regardless of its content.
      this.#received++;
      errors = [gateway.rejection(gateway.random.pick(['rate_limited', 'buffer_full']))];
    } else {
      const mark = () => this.#received++ < this.#resent;
      errors = gateway.receive(idsOf(text).map((id) => ({ id, marked: mark() })));
    }
    if (gateway.chance('cut')) return this.#end(gateway.random.pick([1006, 1012]));
    this.#next('response', () => {
      if (errors.length > 0) this.#say({ nack: number, errors });
      if (gateway.chance('cut')) return this.#end();
      this.#say({ ack: number });
      this.#say({ credit: this.#credit });
      if (!gateway.chance('goaway')) return;
      this.#say({ goaway: { reason: 'age', reconnectMs: gateway.random.int(0, 500) } });
      after(gateway.random.int(1, 300), () => this.#end(1012));
    });
  }
}

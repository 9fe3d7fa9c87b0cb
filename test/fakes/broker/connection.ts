import type net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api, ApiName, Call, Session } from './api.ts';
import type { FakeCluster } from './cluster.ts';
import type { Fault, WireFault } from './injections.ts';
import { answerUnsupported, apiVersions } from './requests/api-versions.ts';
import { APIS } from './requests/index.ts';
import { Reader, Writer } from './wire.ts';

const NO_TAGS = Buffer.alloc(1);
const REQUEST_BYTES_MAX = 100 * 2 ** 20;
const BEFORE_LOGIN: ReadonlySet<ApiName> = new Set([
  'ApiVersions',
  'SaslHandshake',
  'SaslAuthenticate',
]);

/** One client's connection: answers requests one after the other, as a broker does. */
export class Connection {
  readonly #cluster: FakeCluster;
  readonly #broker: number;
  readonly #socket: net.Socket;
  readonly #session: Session = { authenticatedUntilMs: Number.NEGATIVE_INFINITY };
  #received = Buffer.alloc(0);
  #turn = Promise.resolve();

  constructor(cluster: FakeCluster, broker: number, socket: net.Socket) {
    this.#cluster = cluster;
    this.#broker = broker;
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk) => this.#take(chunk));
  }

  #take(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    while (this.#received.length >= 4) {
      const length = this.#received.readInt32BE(0);
      if (length < 8 || length > REQUEST_BYTES_MAX) return this.#strange(`a length of ${length}`);
      if (this.#received.length < 4 + length) return;
      const request = this.#received.subarray(4, 4 + length);
      this.#received = this.#received.subarray(4 + length);
      this.#turn = this.#turn.then(() => this.#serve(new Reader(request)));
    }
  }

  async #serve(body: Reader): Promise<void> {
    if (this.#socket.destroyed) return;
    const key = body.int16();
    const version = body.int16();
    const correlationId = body.int32();
    const api = APIS.find((each) => each.key === key);
    if (api === undefined) return this.#strange(`a request of key ${key}, which it does not speak`);
    if (version < api.min || version > api.max) {
      if (api !== apiVersions) return this.#strange(`${api.name} of version ${version}`);
      this.#cluster.note(this.#broker, api.name, version);
      this.#socket.write(frame(correlationId, answerUnsupported(APIS).buffer));
      return;
    }
    this.#cluster.note(this.#broker, api.name, version);
    if (!this.#mayAsk(api.name)) return void this.#socket.destroy();
    try {
      body.string(); // the client's id
      if (isFlexible(api, version)) body.tags();
      await this.#answer(api, version, correlationId, body);
    } catch (error) {
      this.#strange(`${api.name} of version ${version}: ${(error as Error).message}`);
    }
  }

  async #answer(api: Api, version: number, correlationId: number, body: Reader): Promise<void> {
    const met: Fault[] = [];
    let hangUp = false;
    const greatest = (field: 'throttleMs' | 'delayMs') =>
      Math.max(0, ...met.map((fault) => fault[field] ?? 0));
    const call: Call = {
      cluster: this.#cluster,
      broker: this.#broker,
      apis: APIS,
      version,
      body,
      session: this.#session,
      get throttleMs() {
        return greatest('throttleMs');
      },
      meet: (batch) => {
        const place = { request: api.name, broker: this.#broker, ...batch };
        const fault = this.#cluster.injections.take(place);
        if (fault !== undefined) met.push(fault);
        return fault;
      },
      hangUp: () => {
        hangUp = true;
      },
    };
    const answer = (await api.answer(call)).buffer;
    const buffer = isFlexible(api, version) ? Buffer.concat([NO_TAGS, answer]) : answer;
    if (body.left > 0) throw new Error(`${body.left} bytes too many`);
    if (greatest('delayMs') > 0) await sleep(greatest('delayMs'));
    const wire = met.find((fault) => fault.wire !== undefined)?.wire;
    this.#send(correlationId, buffer, wire);
    if (hangUp) this.#socket.end();
    // A broker responds at once and then does not read for the throttle time.
    if (call.throttleMs > 0) await sleep(call.throttleMs);
  }

  #send(correlationId: number, payload: Buffer, wire: WireFault | undefined): void {
    const socket = this.#socket;
    const whole = frame(correlationId, payload);
    const half = whole.subarray(0, Math.ceil(whole.length / 2));
    switch (wire) {
      case undefined:
        return void socket.write(whole);
      case 'close':
        return void socket.end();
      case 'reset':
        return void socket.resetAndDestroy();
      case 'silence':
        return;
      case 'half, then close':
        return void socket.end(half);
      case 'half, then silence':
        return void socket.write(half);
      case 'other correlation id':
        return void socket.write(frame(correlationId + 1_000, payload));
      case 'twice':
        return void socket.write(Buffer.concat([whole, whole]));
      case 'garbage':
        return void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n');
      default:
        whole.writeInt32BE(wire.length, 0);
        socket.write(whole);
    }
  }

  #mayAsk(name: ApiName): boolean {
    if (this.#cluster.sasl === undefined || BEFORE_LOGIN.has(name)) return true;
    return performance.now() < this.#session.authenticatedUntilMs;
  }

  /** Records data that no correct client sends, and closes the connection as a broker does. */
  #strange(what: string): void {
    this.#cluster.strange.push(what);
    this.#socket.destroy();
  }
}

function isFlexible({ flexibleFrom = Number.POSITIVE_INFINITY }: Api, version: number): boolean {
  return version >= flexibleFrom;
}

function frame(correlationId: number, payload: Buffer): Buffer {
  return new Writer()
    .int32(4 + payload.length)
    .int32(correlationId)
    .raw(payload).buffer;
}

import type { HttpResponse } from '../../../../src/worker/ingress/uws.ts';

/** A response that notes what is written. As with uWebSockets.js, after its end nothing may be. */
export class Response implements HttpResponse {
  /** Undefined until it has ended. */
  status: number | undefined;
  readonly headers = new Map<string, string>();
  body = '';
  /** It closes the connection. */
  closes = false;
  paused = false;
  /** How often it was paused and resumed. */
  pauses = 0;
  resumes = 0;
  readonly #address: readonly number[];
  #status = 200;
  #over = false;
  #aborted: (() => void) | undefined;
  #data: ((chunk: ArrayBuffer, isLast: boolean) => void) | undefined;

  /** @param address of the client, its bytes */
  constructor(address: readonly number[] = [127, 0, 0, 1]) {
    this.#address = address;
  }

  writeStatus(status: string): this {
    this.#demandOpen();
    this.#status = Number.parseInt(status, 10);
    return this;
  }
  writeHeader(name: string, value: string): this {
    this.#demandOpen();
    this.headers.set(name, value);
    return this;
  }
  end(body: string | Uint8Array = '', closes = false): this {
    this.#demandOpen();
    this.#over = true;
    this.status = this.#status;
    this.body = String(body);
    this.closes = closes;
    return this;
  }
  endWithoutBody(_reportedLength?: number, closes = false): this {
    return this.end('', closes);
  }
  close(): this {
    this.abort();
    return this;
  }
  getRemoteAddress(): ArrayBuffer {
    return new Uint8Array(this.#address).buffer;
  }
  getProxiedRemoteAddress(): ArrayBuffer {
    return new ArrayBuffer(0);
  }
  onAborted(handler: () => void): this {
    this.#demandOpen();
    this.#aborted = handler;
    return this;
  }
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): this {
    this.#demandOpen();
    this.#data = handler;
    return this;
  }
  cork(write: () => void): this {
    this.#demandOpen();
    write();
    return this;
  }
  pause(): void {
    this.#demandOpen();
    this.paused = true;
    this.pauses++;
  }
  resume(): void {
    this.#demandOpen();
    if (!this.paused) throw new Error('uWebSockets.js would read nothing more');
    this.paused = false;
    this.resumes++;
  }
  upgrade(): void {
    throw new Error('this is no WebSocket');
  }

  /** Answered, or gone. */
  get ended(): boolean {
    return this.#over;
  }

  /** A part of the body arrives; its memory is gone when the handler returns. */
  deliver(bytes: Buffer | string, isLast: boolean): void {
    const copy = new Uint8Array(Buffer.from(bytes));
    this.#data?.(copy.buffer, isLast);
    copy.fill(0);
  }

  /** The client goes away. */
  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#aborted?.();
  }

  #demandOpen(): void {
    if (this.#over) throw new Error('a response is touched after its end');
  }
}

import type { Gateway } from '../../testing/gateway.ts';

/** Target of load: the gateway, or a yardstick. */
export interface Target {
  readonly name: string;
  readonly port: number;
  /** Number of streams that its clients name; undefined = none. */
  readonly streams?: number | undefined;
  /** Processes whose CPU counts; serving ones first. */
  processes(): number[];
  stop(): Promise<void>;
}

export class GatewayTarget implements Target {
  readonly name: string;
  readonly gateway: Gateway;
  /** Buffer of each worker. */
  readonly bufferBytes: number;
  readonly streams: number | undefined;

  constructor(name: string, gateway: Gateway, bufferBytes: number, streams?: number) {
    this.streams = streams;
    this.name = name;
    this.gateway = gateway;
    this.bufferBytes = bufferBytes;
  }

  get port(): number {
    return this.gateway.port;
  }

  processes(): number[] {
    return [...this.gateway.workers(), this.gateway.pid];
  }

  async stop(): Promise<void> {
    const { code } = await this.gateway.stop();
    if (code !== 0) throw new Error(`${this.name} exited with code ${code}`);
  }
}

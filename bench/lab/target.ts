import type { Gateway } from '../../testing/gateway.ts';
import type { LoadShape } from '../load/messages.ts';

/** Target of load: the gateway, or a yardstick. */
export interface Target {
  readonly name: string;
  readonly port: number;
  /** Number of streams that its clients name; undefined = none. */
  readonly streams?: number | undefined;
  /** Load of its warm-up, where it differs from the default. */
  readonly warmUp?: Partial<LoadShape>;
  /** Processes whose CPU counts; serving ones first. */
  processes(): number[];
  stop(): Promise<void>;
}

interface Facts {
  readonly bufferBytes: number;
  readonly streams: number | undefined;
  readonly warmUp: Partial<LoadShape>;
}

export class GatewayTarget implements Target {
  readonly name: string;
  readonly gateway: Gateway;
  /** Buffer of each worker. */
  readonly bufferBytes: number;
  readonly streams: number | undefined;
  readonly warmUp: Partial<LoadShape>;

  constructor(name: string, gateway: Gateway, { bufferBytes, streams, warmUp }: Facts) {
    this.name = name;
    this.gateway = gateway;
    this.bufferBytes = bufferBytes;
    this.streams = streams;
    this.warmUp = warmUp;
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

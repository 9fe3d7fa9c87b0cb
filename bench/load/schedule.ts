/**
 * Send times of packets: evenly spaced by the clock, regardless of earlier results. Packet p
 * belongs to connection p mod n.
 */
export class Schedule {
  readonly #packetsPerMs: number;
  readonly #connections: number;
  readonly #endMs: number;
  #taken = 0;

  /** @param endMs end of the schedule, relative to the start */
  constructor(packetsPerSecond: number, connections: number, endMs: number) {
    this.#packetsPerMs = packetsPerSecond / 1000;
    this.#connections = connections;
    this.#endMs = endMs;
  }

  /** Total number of packets. */
  get packets(): number {
    return Math.ceil(this.#endMs * this.#packetsPerMs);
  }

  /** Returns the number of the next packet if it is due; otherwise undefined. */
  next(elapsedMs: number): number | undefined {
    if (this.#taken >= this.packets || this.dueMs(this.#taken) > elapsedMs) return undefined;
    return this.#taken++;
  }

  get over(): boolean {
    return this.#taken >= this.packets;
  }

  /** Returns the due time of a packet, in ms from the start. */
  dueMs(packet: number): number {
    return packet / this.#packetsPerMs;
  }

  connectionOf(packet: number): number {
    return packet % this.#connections;
  }

  /** Returns the due time of the `nth` packet of a connection. */
  dueOfMs(connection: number, nth: number): number {
    return this.dueMs(nth * this.#connections + connection);
  }
}

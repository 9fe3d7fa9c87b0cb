/**
 * When each packet is to go out: evenly, by the clock, whatever became of those before. Packet p is
 * connection p mod n's.
 */
export class Schedule {
  readonly #packetsPerMs: number;
  readonly #connections: number;
  readonly #endMs: number;
  #taken = 0;

  /**
   * @param endMs from the start; nothing is due from then on
   */
  constructor(packetsPerSecond: number, connections: number, endMs: number) {
    this.#packetsPerMs = packetsPerSecond / 1000;
    this.#connections = connections;
    this.#endMs = endMs;
  }

  /** How many packets there are in all. */
  get packets(): number {
    return Math.ceil(this.#endMs * this.#packetsPerMs);
  }

  /** Takes the number of the next packet if it is due; else undefined. */
  take(elapsedMs: number): number | undefined {
    if (this.#taken >= this.packets || this.dueMs(this.#taken) > elapsedMs) return undefined;
    return this.#taken++;
  }

  get over(): boolean {
    return this.#taken >= this.packets;
  }

  /** When a packet is to go out, in ms from the start. */
  dueMs(packet: number): number {
    return packet / this.#packetsPerMs;
  }

  connectionOf(packet: number): number {
    return packet % this.#connections;
  }

  /** When the `nth` packet of a connection is to go out. */
  dueOfMs(connection: number, nth: number): number {
    return this.dueMs(nth * this.#connections + connection);
  }
}

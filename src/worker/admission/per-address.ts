import assert from 'node:assert/strict';

/** Connections of one address. */
interface Connections {
  /** WebSockets and unanswered requests. */
  used: number;
  /** Connections without a request, since this period and since the previous one. */
  idle: number;
  idleBefore: number;
}

/** Limit of an address's idle and used connections together, as a multiple of the used ones. */
const IDLE_FACTOR = 2;

/**
 * Counts the connections of each address; addresses without any are not kept. Used connections are
 * counted exactly. Idle ones wait for a request: uWebSockets.js does not report the end of one that
 * had a request before. It ends within a period, so each counts for one to two periods.
 */
export class PerAddress {
  readonly #max: number;
  readonly #addresses = new Map<string, Connections>();

  /** @param max used connections per address */
  constructor(max: number) {
    this.#max = max;
  }

  /** Addresses with connections. */
  get size(): number {
    return this.#addresses.size;
  }

  /** Returns whether `address` has reached its limit of used connections. */
  isFull(address: string): boolean {
    return (this.#addresses.get(address)?.used ?? 0) >= this.#max;
  }

  enter(address: string): void {
    this.#getOrCreate(address).used++;
  }

  leave(address: string): void {
    const connections = this.#addresses.get(address);
    assert(connections !== undefined && connections.used > 0, 'only a used connection leaves');
    connections.used--;
    this.#deleteEmpty(address, connections);
  }

  /** Counts a new connection as idle. @returns false = it must be closed */
  accept(address: string): boolean {
    if (this.#total(address) >= IDLE_FACTOR * this.#max) return false;
    this.#getOrCreate(address).idle++;
    return true;
  }

  /** Counts a connection as idle after a response. @returns false = it must be closed */
  keepAlive(address: string): boolean {
    if (this.#total(address) >= this.#max) return false;
    this.#getOrCreate(address).idle++;
    return true;
  }

  /** Counts a request or the end of an idle connection. */
  markActive(address: string): void {
    const connections = this.#addresses.get(address);
    if (connections === undefined) return;
    // The older one first: the remaining one counts for longer.
    if (connections.idleBefore > 0) connections.idleBefore--;
    else if (connections.idle > 0) connections.idle--;
    this.#deleteEmpty(address, connections);
  }

  /** Starts a period: connections that were idle before the previous one have ended. */
  nextPeriod(): void {
    for (const [address, connections] of this.#addresses) {
      connections.idleBefore = connections.idle;
      connections.idle = 0;
      this.#deleteEmpty(address, connections);
    }
  }

  #total(address: string): number {
    const { used, idle, idleBefore } = this.#addresses.get(address) ?? NONE;
    return used + idle + idleBefore;
  }

  #getOrCreate(address: string): Connections {
    let connections = this.#addresses.get(address);
    if (connections === undefined) {
      connections = { ...NONE };
      this.#addresses.set(address, connections);
    }
    return connections;
  }

  #deleteEmpty(address: string, { used, idle, idleBefore }: Connections): void {
    if (used + idle + idleBefore === 0) this.#addresses.delete(address);
  }
}

const NONE: Readonly<Connections> = { used: 0, idle: 0, idleBefore: 0 };

import assert from 'node:assert/strict';

/** Connections of one address. */
interface Connections {
  /** WebSockets, and requests that are not answered. */
  used: number;
  /** Connections without a request, since this period and since the one before. */
  idle: number;
  idleBefore: number;
}

/** Bound of an address's quiet connections and used ones together, in times of those it may use. */
const IDLE_FACTOR = 2;

/**
 * Counts the connections of each address; addresses without any are not kept. Used ones are known
 * exactly. Quiet ones are those that wait for a request: uWebSockets.js does not say when one of
 * these ends that had a request before. It does end within a period, so each counts for one period
 * at least, and two at most.
 */
export class PerAddress {
  readonly #max: number;
  readonly #addresses = new Map<string, Connections>();

  /** @param max connections that an address may use */
  constructor(max: number) {
    this.#max = max;
  }

  /** Addresses that have connections. */
  get size(): number {
    return this.#addresses.size;
  }

  /** Returns whether `address` may not use one more. */
  isFull(address: string): boolean {
    return (this.#addresses.get(address)?.used ?? 0) >= this.#max;
  }

  enter(address: string): void {
    this.#getOrCreate(address).used++;
  }

  leave(address: string): void {
    const connections = this.#addresses.get(address);
    assert(connections !== undefined && connections.used > 0, 'only who entered leaves');
    connections.used--;
    this.#deleteEmpty(address, connections);
  }

  /** A connection begins, quiet. @returns false = there are too many: it must end */
  accept(address: string): boolean {
    if (this.#total(address) >= IDLE_FACTOR * this.#max) return false;
    this.#getOrCreate(address).idle++;
    return true;
  }

  /** An answer is given. @returns whether its connection may stay, quiet: else it must end */
  keepAlive(address: string): boolean {
    if (this.#total(address) >= this.#max) return false;
    this.#getOrCreate(address).idle++;
    return true;
  }

  /** A quiet connection has asked for something, or has ended. */
  markActive(address: string): void {
    const connections = this.#addresses.get(address);
    if (connections === undefined) return;
    // The older one: what is left counts for longer.
    if (connections.idleBefore > 0) connections.idleBefore--;
    else if (connections.idle > 0) connections.idle--;
    this.#deleteEmpty(address, connections);
  }

  /** A period is over: what was quiet before it has ended. */
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

import { BASE_TIMEOUTS } from './adaptive-timeouts.ts';
import { BrokerSelector } from './broker-selector.ts';
import type { Address, BrokerLink, CreateLink } from './link.ts';

/** A broker queried for metadata, or the next one. */
interface MetadataBroker {
  readonly address: Address;
  readonly link: BrokerLink;
  opening: boolean;
}

/** The one connection for metadata and producer ids, to one broker at a time. */
export class MetadataLink {
  readonly #bootstrap: readonly Address[];
  readonly #createLink: CreateLink;
  readonly #selector = new BrokerSelector();
  /** Addresses of all brokers in the last response. */
  known: readonly Address[] = [];
  #current: MetadataBroker | undefined;
  /** The next broker, connected to before the current one is closed. */
  #other: MetadataBroker | undefined;

  constructor(bootstrap: readonly Address[], createLink: CreateLink) {
    this.#bootstrap = bootstrap;
    this.#createLink = createLink;
  }

  /** Address of the current broker. */
  get address(): Address | undefined {
    return this.#current?.address;
  }

  /**
   * Returns the connection for the next request. A connection that works, but is in doubt, stays
   * until another one is open: a suspended broker accepts connections and sends nothing.
   * @param inDoubt prefer another broker, if there is one
   * @param changed called when the broker changes
   * @throws LinkError
   */
  async connect(inDoubt: boolean, changed: () => void): Promise<BrokerLink> {
    const current = this.#current;
    if (current?.link.usable && !inDoubt) return current.link;
    const other = this.#other;
    if (other?.link.usable) {
      current?.link.close();
      this.#current = other;
      this.#other = undefined;
      changed();
      return other.link;
    }
    if (current?.link.usable) {
      if (!other?.opening) this.#openOther(current.address);
      return current.link;
    }
    const next = this.#create(undefined);
    this.#current = next;
    changed();
    await this.#open(next);
    return next.link;
  }

  /** A request on the connection has failed. */
  failed(): void {
    if (this.#current === undefined) return;
    this.#selector.failed(this.#current.address, performance.now());
    this.#current.link.close();
    this.#current = undefined;
  }

  close(): void {
    this.#current?.link.close();
    this.#other?.link.close();
  }

  /** Opens a link to another broker, if there is one, for the following requests. */
  #openOther(except: Address): void {
    const other = this.#create(except);
    this.#other = other;
    this.#open(other).catch(() => {
      this.#selector.failed(other.address, performance.now());
      if (this.#other === other) this.#other = undefined;
    });
  }

  #create(except: Address | undefined): MetadataBroker {
    const addresses = [...this.known, ...this.#bootstrap];
    const address = this.#selector.choose(addresses, except, performance.now());
    return { address, link: this.#createLink(address), opening: false };
  }

  async #open(current: MetadataBroker): Promise<void> {
    current.opening = true;
    try {
      await current.link.open(BASE_TIMEOUTS);
    } finally {
      current.opening = false;
    }
    this.#selector.answered(current.address);
  }
}

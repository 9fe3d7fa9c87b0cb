import { TIMES } from './adaptive-timeouts.ts';
import { Candidates } from './broker-selector.ts';
import type { Address, BrokerLink, CreateLink } from './link.ts';

/** A broker that is asked, or is to be. */
interface Asked {
  readonly address: Address;
  readonly link: BrokerLink;
  opening: boolean;
}

/** The one connection for metadata and producer ids, to one broker after the other. */
export class MetadataLink {
  readonly #bootstrap: readonly Address[];
  readonly #createLink: CreateLink;
  readonly #candidates = new Candidates();
  /** All that brokers have told of. */
  known: readonly Address[] = [];
  #asked: Asked | undefined;
  /** Opened beside it, to be asked next. */
  #other: Asked | undefined;

  constructor(bootstrap: readonly Address[], createLink: CreateLink) {
    this.#bootstrap = bootstrap;
    this.#createLink = createLink;
  }

  /** Address of the broker that is asked. */
  get address(): Address | undefined {
    return this.#asked?.address;
  }

  /**
   * The connection to ask on. One that answers, but in doubt, is not given up before another one is
   * open: a broker that is stopped takes a connection and says nothing.
   * @param inDoubt another broker is to be asked, if there is one
   * @param changed called when another broker is asked than before
   * @throws LinkError
   */
  async connect(inDoubt: boolean, changed: () => void): Promise<BrokerLink> {
    const asked = this.#asked;
    if (asked?.link.usable && !inDoubt) return asked.link;
    const other = this.#other;
    if (other?.link.usable) {
      asked?.link.close();
      this.#asked = other;
      this.#other = undefined;
      changed();
      return other.link;
    }
    if (asked?.link.usable) {
      if (!other?.opening) this.#openOther(asked.address);
      return asked.link;
    }
    const next = this.#create(undefined);
    this.#asked = next;
    changed();
    await this.#open(next);
    return next.link;
  }

  /** What was asked on the connection has failed. */
  failed(): void {
    if (this.#asked === undefined) return;
    this.#candidates.failed(this.#asked.address, performance.now());
    this.#asked.link.close();
    this.#asked = undefined;
  }

  close(): void {
    this.#asked?.link.close();
    this.#other?.link.close();
  }

  /** Opens a link to another broker, if there is one, to be asked from then on. */
  #openOther(besides: Address): void {
    const other = this.#create(besides);
    this.#other = other;
    this.#open(other).catch(() => {
      this.#candidates.failed(other.address, performance.now());
      if (this.#other === other) this.#other = undefined;
    });
  }

  #create(besides: Address | undefined): Asked {
    const addresses = [...this.known, ...this.#bootstrap];
    const address = this.#candidates.choose(addresses, besides, performance.now());
    return { address, link: this.#createLink(address), opening: false };
  }

  async #open(asked: Asked): Promise<void> {
    asked.opening = true;
    try {
      await asked.link.open(TIMES);
    } finally {
      asked.opening = false;
    }
    this.#candidates.answered(asked.address);
  }
}

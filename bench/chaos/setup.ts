/** How the world of a scenario differs from the usual one. */
export interface Setup {
  /** Gateways, behind a balancer if there are two. */
  readonly instances?: 1 | 2;
  readonly workers?: number;
  /** The one gateway is behind a balancer too. */
  readonly balanced?: boolean;
  /** Clients speak TLS. */
  readonly secure?: boolean;
  /** Clients need an API key. */
  readonly keys?: boolean;
  /** Workers run on a core of their own, and all else on the others. */
  readonly pinned?: boolean;
  /** The gateway's settings. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of Node.js, for the gateway. */
  readonly nodeArgs?: readonly string[];
  /** A command that becomes the gateway. */
  readonly wrapper?: readonly string[];
  /** Lines of server.properties. */
  readonly kafka?: Readonly<Record<string, string>>;
  /** The gateway reaches the brokers through fault proxies. */
  readonly proxied?: boolean;
  /** The names by which it does, through them; without: 127.0.0.1. */
  readonly names?: readonly string[];
  /** Files that have to be there. */
  readonly needs?: readonly string[];
  /** Share of the machine's rate; default 1. */
  readonly rate?: number;
  /** Length of `msg`; default 20. */
  readonly msgBytes?: number;
  /** The least time between two looks at the gateway; default 250 ms. */
  readonly watchMs?: number;
  /** Bound of the resident memory of a worker; default: its buffer + 100 MiB. */
  readonly residentMib?: number;
}

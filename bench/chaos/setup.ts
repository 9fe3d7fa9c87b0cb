import type { Declared } from './streams.ts';

/** Deviations of a scenario from the default setup. */
export interface Setup extends Declared {
  /** Number of gateways, behind a balancer if there are two. */
  readonly instances?: 1 | 2;
  readonly workers?: number;
  /** A single gateway is behind a balancer too. */
  readonly balanced?: boolean;
  /** Clients use TLS. */
  readonly secure?: boolean;
  /** Brokers authenticate the gateway as `GATEWAY_USER`, to which ACLs apply. */
  readonly acls?: boolean;
  /** Clients need an API key. */
  readonly keys?: boolean;
  /** Workers have a dedicated core; everything else shares the others. */
  readonly pinned?: boolean;
  /** Settings of the gateway. */
  readonly env?: Readonly<Record<string, string>>;
  /** Node.js arguments of the gateway. */
  readonly nodeArgs?: readonly string[];
  /** Command that executes the gateway. */
  readonly wrapper?: readonly string[];
  /** Lines of server.properties. */
  readonly kafka?: Readonly<Record<string, string>>;
  /** The gateway connects to the brokers through fault proxies. */
  readonly proxied?: boolean;
  /** Broker names that it uses for that, instead of 127.0.0.1. */
  readonly names?: readonly string[];
  /** Required files. */
  readonly needs?: readonly string[];
  /** Share of the machine's rate; default 1. */
  readonly rate?: number;
  /** Length of `msg`; default 20. */
  readonly msgBytes?: number;
  /** Minimum interval of the watch's scrapes; default 250 ms. */
  readonly watchMs?: number;
  /** Bound of a worker's resident memory; default: its buffer + 100 MiB. */
  readonly residentMib?: number;
}

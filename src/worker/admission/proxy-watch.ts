import { addressOfBytes, isWithin, type Network } from '../../common/ip-addresses.ts';
import { LIMITS } from '../../config/limits.ts';
import type { Logger } from '../../logging/logger.ts';
import type { HttpResponse } from '../ingress/transport/transport.ts';

type Peer = Pick<HttpResponse, 'getRemoteAddress'>;

const HINT =
  'PROXY v1 (v2 is needed), PROXY v2 with extensions, HTTP/1.0, HTTP/2, TLS to a port without it, ' +
  'no TLS to one with it; or TCP checks alone';

/**
 * Detects trusted proxies that do not speak HTTP/1.1, but for example PROXY v1. uWebSockets.js
 * responds to parse errors itself, without a callback: the only sign of them is a connection that
 * ends before a request.
 */
export class ProxyWatch {
  readonly #trusted: readonly Network[];
  readonly #log: Pick<Logger, 'warn'>;
  /** Number of such connections, by the address of proxies without any request since. */
  readonly #suspects = new Map<string, number>();
  /** Addresses with a parsed request, or that were logged. */
  readonly #settled = new Set<string>();

  constructor(trusted: readonly Network[], log: Pick<Logger, 'warn'>) {
    this.#trusted = trusted;
    this.#log = log;
  }

  /**
   * Tracks a new connection.
   * @returns a function to call if it ends before a request; undefined for most
   */
  opened(peer: Peer): (() => void) | undefined {
    if (this.#trusted.length === 0 || this.#settled.size >= LIMITS.watchedProxies) return undefined;
    const address = addressOfBytes(peer.getRemoteAddress());
    if (!isWithin(address, this.#trusted)) return undefined;
    const name = address.toString();
    return this.#settled.has(name) ? undefined : () => this.#ended(name);
  }

  /** Records that a request was parsed. */
  requestParsed(peer: Peer): void {
    if (this.#suspects.size === 0) return;
    const name = addressOfBytes(peer.getRemoteAddress()).toString();
    if (this.#suspects.delete(name)) this.#settled.add(name);
  }

  #ended(name: string): void {
    if (this.#settled.has(name) || this.#suspects.size >= LIMITS.watchedProxies) return;
    const connections = (this.#suspects.get(name) ?? 0) + 1;
    this.#suspects.set(name, connections);
    if (connections < LIMITS.silentConnections) return;
    this.#suspects.delete(name);
    this.#settled.add(name);
    const fields = { proxy: name, connections, hint: HINT };
    this.#log.warn(fields, 'no valid request from a trusted proxy');
  }
}

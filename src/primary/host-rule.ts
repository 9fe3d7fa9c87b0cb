/**
 * Under which names the admin port answers. A web page reads a port of this machine or network by
 * a name of its own that it has bound to the address there (DNS rebinding); its browser sends that
 * name as `Host`.
 */
import { isIP, isIPv6 } from 'node:net';
import { isLoopback } from '../common/ip-addresses.ts';

/** Where the admin port listens, and its further names. */
export interface AdminNames {
  readonly host: string;
  /** In lower case; `*` = every name. */
  readonly hosts: readonly string[];
}

/**
 * Whether a request with this `Host` gets an answer. On loopback: under a name of this machine.
 * Elsewhere: under any address as well, since no page can have an address as its name; probes and
 * scrapes of pods come so. A request without `Host` (HTTP/1.0, health checks) is none of a browser's.
 */
export function isAdminName(asked: string | undefined, { host, hosts }: AdminNames): boolean {
  if (asked === undefined || asked === '' || hosts[0] === '*') return true;
  const name = hostName(asked);
  if (name === undefined) return false;
  if (isLoopback(name) || name === hostName(host) || name === host.toLowerCase()) return true;
  return hosts.includes(name) || (!isLoopback(host) && isIP(name) !== 0);
}

/** Of a `Host` header, without port, brackets and the dot at the end; undefined if it is none. */
function hostName(host: string): string | undefined {
  const [, bracketed, plain] =
    /^(?:\[([^\]]+)\]|([^:[\]]*[^:[\].])\.?)(?::\d*)?$/.exec(host.toLowerCase()) ?? [];
  if (bracketed === undefined) return plain;
  return isIPv6(bracketed) ? bracketed : undefined;
}

/**
 * Host names of the admin port. A web page can reach a port of this machine or network by binding a
 * name of its own to the address (DNS rebinding); its browser sends that name as `Host`.
 */
import { isIP, isIPv6 } from 'node:net';
import { isLoopback } from '../common/ip-addresses.ts';

/** Address of the admin port, and its additional names. */
export interface AdminNames {
  readonly host: string;
  /** In lower case; `*` = every name. */
  readonly hosts: readonly string[];
}

/**
 * Returns whether a request with this `Host` is served. On loopback: for names of this machine.
 * Otherwise also for any address, since a page cannot have an address as its name; probes and
 * scrapes of pods use addresses. A request without `Host` (HTTP/1.0, health checks) is not from a
 * browser.
 */
export function isAdminName(asked: string | undefined, { host, hosts }: AdminNames): boolean {
  if (asked === undefined || asked === '' || hosts[0] === '*') return true;
  const name = hostName(asked);
  if (name === undefined) return false;
  if (isLoopback(name) || name === hostName(host) || name === host.toLowerCase()) return true;
  return hosts.includes(name) || (!isLoopback(host) && isIP(name) !== 0);
}

/**
 * Extracts the host of a `Host` header, without port, brackets and trailing dot; undefined if
 * invalid.
 */
function hostName(host: string): string | undefined {
  const [, bracketed, plain] =
    /^(?:\[([^\]]+)\]|([^:[\]]*[^:[\].])\.?)(?::\d*)?$/.exec(host.toLowerCase()) ?? [];
  if (bracketed === undefined) return plain;
  return isIPv6(bracketed) ? bracketed : undefined;
}

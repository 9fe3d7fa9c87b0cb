/** Requests to the admin port of the gateway with these settings. */
import { systemReason } from '../common/errors.ts';
import type { Config } from '../config/config.ts';
import { LIMITS } from '../config/limits.ts';

/** Addresses to query a gateway that listens on all addresses. */
const LOOPBACK_OF: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** Returns the base URL of the admin port, without a slash at its end. */
export function adminUrl({ adminHost, adminPort }: Pick<Config, 'adminHost' | 'adminPort'>) {
  const asked = LOOPBACK_OF[adminHost] ?? adminHost;
  const host = asked.includes(':') && !asked.startsWith('[') ? `[${asked}]` : asked;
  return `http://${host}:${adminPort}`;
}

/** A response, or the reason why there is none. */
export type AdminResponse =
  | { readonly status: number; readonly body: string }
  | { readonly failure: string };

/** Requests `url`, for up to LIMITS.healthMs. */
export async function getAdmin(url: string): Promise<AdminResponse> {
  try {
    const signal = AbortSignal.timeout(LIMITS.healthMs);
    const response = await fetch(url, { signal, redirect: 'error' });
    return { status: response.status, body: await response.text() };
  } catch (error) {
    const { name, cause } = error as Error;
    if (name === 'TimeoutError') return { failure: `no response within ${LIMITS.healthMs} ms` };
    return { failure: systemReason(cause ?? error) };
  }
}

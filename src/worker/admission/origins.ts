/** Trust in a page: `named` = its origin is listed by name. */
export type Trust = 'none' | 'allowed' | 'named';

/** Origins of web pages that may send, over WebSocket and HTTP alike. */
export class Origins {
  /** Without `*`. */
  readonly #listed: ReadonlySet<string> | undefined;
  readonly #every: boolean;

  /** @param listed permitted origins, `*` = all; undefined = the same host only */
  constructor(listed: readonly string[] | undefined) {
    this.#listed = listed && new Set(listed.filter((origin) => origin !== '*'));
    this.#every = listed?.includes('*') ?? false;
  }

  /**
   * Returns whether a request may come from a page. A request without Origin is not sent by a
   * browser, which always adds one: it passes, and must authenticate where that is required.
   * @param origin and host: the request's headers, '' when absent
   */
  allows(origin: string, host: string): boolean {
    return this.trustOf(origin, host) !== 'none';
  }

  /** Returns the result of {@link allows} with the rule that applies. */
  trustOf(origin: string, host: string): Trust {
    if (origin === '') return 'allowed';
    if (this.#listed?.has(origin)) return 'named';
    if (this.#every) return 'allowed';
    return this.#listed === undefined && isSameHost(origin, host) ? 'allowed' : 'none';
  }
}

/** Returns whether a page has this host and port; either may omit the scheme's default port. */
function isSameHost(origin: string, host: string): boolean {
  try {
    const from = new URL(origin);
    return from.host !== '' && from.host === new URL(`${from.protocol}//${host}`).host;
  } catch {
    return false;
  }
}

/** How far a page is trusted: `named` = its origin is listed by name. */
export type Trust = 'none' | 'allowed' | 'named';

/** Which web pages may send, over WebSocket and HTTP alike. */
export class Origins {
  /** Without `*`. */
  readonly #listed: ReadonlySet<string> | undefined;
  readonly #every: boolean;

  /** @param listed those that may and no others, `*` = every page; undefined = the same host's */
  constructor(listed: readonly string[] | undefined) {
    this.#listed = listed && new Set(listed.filter((origin) => origin !== '*'));
    this.#every = listed?.includes('*') ?? false;
  }

  /**
   * Whether a request may come from that page. Who sends no Origin is no browser, which always
   * would: it passes, and has to show credentials where some are needed.
   * @param origin and host: the request's headers, '' when absent
   */
  allows(origin: string, host: string): boolean {
    return this.trustOf(origin, host) !== 'none';
  }

  /** As {@link allows}, and by which of the two rules. */
  trustOf(origin: string, host: string): Trust {
    if (origin === '') return 'allowed';
    if (this.#listed?.has(origin)) return 'named';
    if (this.#every) return 'allowed';
    return this.#listed === undefined && isSameHost(origin, host) ? 'allowed' : 'none';
  }
}

/** Whether a page is of that host and port; either may leave out the scheme's own port. */
function isSameHost(origin: string, host: string): boolean {
  try {
    const from = new URL(origin);
    return from.host !== '' && from.host === new URL(`${from.protocol}//${host}`).host;
  } catch {
    return false;
  }
}

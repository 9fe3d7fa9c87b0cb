/** Which web pages may send, over WebSocket and HTTP alike. */
export class Origins {
  readonly #listed: ReadonlySet<string> | undefined;
  readonly #every: boolean;

  /** @param listed those that may and no others, `*` = every page; undefined = the same host's */
  constructor(listed: readonly string[] | undefined) {
    this.#listed = listed && new Set(listed);
    this.#every = this.#listed?.has('*') ?? false;
  }

  /**
   * Whether a request may come from that page. Who sends no Origin is no browser, which always
   * would: it passes, and has to show credentials where some are needed.
   * @param origin and host: the request's headers, '' when absent
   */
  allows(origin: string, host: string): boolean {
    if (origin === '' || this.#every) return true;
    return this.#listed?.has(origin) ?? isSameHost(origin, host);
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

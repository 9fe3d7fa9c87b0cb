/** What differs between a page, a Worker and Node.js. */

const REACH_MS = 10_000;

/** `POST /events` beside the WebSocket. @throws TypeError when `url` cannot be one */
export function eventsUrl(url: string): string {
  const { location } = globalThis as { location?: { href: string } };
  return new URL('events', new URL(url.replace(/^ws/, 'http'), location?.href)).href;
}

/** Listens where there is a page or a worker. @returns what ends it */
export function listen(handlers: Readonly<Record<string, () => void>>): () => void {
  const target = globalThis as Partial<EventTarget>;
  const each = (act: 'addEventListener' | 'removeEventListener') => {
    for (const [type, handler] of Object.entries(handlers)) target[act]?.(type, handler);
  };
  each('addEventListener');
  return () => each('removeEventListener');
}

export function pageIsHidden(): boolean {
  const { document } = globalThis as { document?: { visibilityState?: string } };
  return document?.visibilityState === 'hidden';
}

/** Tells a page of another origin than that of `url`. */
export function isForeignPage(url: string): boolean {
  const { location } = globalThis as { location?: { origin: string } };
  return location !== undefined && new URL(url).origin !== location.origin;
}

/** Asks the gateway there for this library, which pages of all origins may read. */
export async function servesPages(url: string): Promise<boolean> {
  const signal = AbortSignal.timeout(REACH_MS);
  try {
    // From the gateway itself, not from a cache.
    const response = await fetch(new URL('client.js', url), { cache: 'no-store', signal });
    void response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

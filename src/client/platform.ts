/** What differs between a page, a Worker and Node.js. */

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

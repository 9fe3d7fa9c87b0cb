/** Differences between a page, a Worker and Node.js. */

const REACH_MS = 10_000;

/** A string, or an object such as a `URL`. */
export type UrlOption = string | { readonly href: string };
interface Urls {
  readonly url: UrlOption;
  readonly fallbackUrl?: UrlOption;
  readonly stream?: string;
}

const STREAM_NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/**
 * Returns the absolute URLs of the WebSocket and of `POST /events`, or of a stream in them. On a
 * page they may be relative; `http` and `ws` are interchangeable.
 * @throws TypeError if it is not a string, SyntaxError if it is not a URL
 */
export function urlsOf({ url, fallbackUrl, stream }: Urls): { socket: string; events: string } {
  const socket = absolute('url', url, 'ws');
  // Browsers reject fragments for WebSockets.
  socket.hash = '';
  const events = absolute('fallbackUrl', fallbackUrl ?? new URL('events', socket), 'http');
  events.hash = '';
  if (stream !== undefined) {
    if (typeof stream !== 'string' || !STREAM_NAME.test(stream)) {
      throw new SyntaxError(`stream must be a name, not ${JSON.stringify(stream)}`);
    }
    for (const each of [socket, events])
      each.pathname = each.pathname.replace(/\/?$/, `/${stream}`);
  }
  return { socket: socket.href, events: events.href };
}

/** Adds to a URL that the first `count` events may be repeats; for a body, any count covers all. */
export function resent(url: string, count: number): string {
  return `${url}${url.includes('?') ? '&' : '?'}resent=${count}`;
}

function absolute(name: string, given: UrlOption, scheme: 'ws' | 'http'): URL {
  const text = (given as Partial<URL> | undefined)?.href ?? given;
  const { location } = globalThis as { location?: { href: string } };
  const like = `a URL such as ${scheme}s://events.example.com/`;
  if (typeof text !== 'string') throw new TypeError(`${name} must be ${like}, not ${text}`);
  try {
    const url = new URL(text, location?.href);
    if (text.trim() !== '' && /^(ws|http)s?:$/.test(url.protocol)) {
      url.protocol = url.protocol.replace(/ws|http/, scheme);
      return url;
    }
  } catch {
    // Not a URL.
  }
  throw new SyntaxError(`${name} must be ${like}, not ${JSON.stringify(text)}`);
}

/** Adds listeners on a page or in a Worker. @returns a function that removes them */
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

/** Returns whether this is a page of another origin than that of `url`. */
export function isForeignPage(url: string): boolean {
  const { location } = globalThis as { location?: { origin: string } };
  return location !== undefined && new URL(url).origin !== location.origin;
}

/** Fetches this library from the gateway, which pages of all origins may read. */
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

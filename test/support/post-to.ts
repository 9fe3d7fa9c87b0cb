import type { NackError } from '../../testing/protocol.ts';

/** Response to a body of events. */
export interface PostResult {
  readonly status: number;
  /** Undefined if the request was rejected as a whole. */
  readonly accepted: number | undefined;
  readonly errors: readonly NackError[];
  /** Codes of all rejections, of events or of the request, in alphabetical order. */
  readonly codes: readonly string[];
}

/** Sends a body by POST to any path: `http://127.0.0.1:9000/events/clicks`. */
export async function postTo(
  url: string,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<PostResult> {
  // Bytes: fetch adds a content type to strings.
  const bytes = new Uint8Array(Buffer.from(body));
  const response = await fetch(url, { method: 'POST', headers, body: bytes });
  const answer = (await response.json()) as {
    accepted?: number;
    errors?: readonly NackError[];
    error?: { code: string };
  };
  const { accepted, errors = [], error } = answer;
  const codes = [...errors, ...(error ? [error] : [])].map(({ code }) => code).sort();
  return { status: response.status, accepted, errors, codes };
}

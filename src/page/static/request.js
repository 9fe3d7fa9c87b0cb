/** Requests of the page with events in their body. */

/** Longer than the gateway waits for Kafka by default. */
const ANSWER_MS = 30_000;

/**
 * Sends a body of events.
 * @param query of the address
 * @param type media type of the body
 * @param key API key or JWT; undefined = none
 * @param stream undefined = none in the path
 * @returns the response's content
 * @throws Error whose message can be shown, if there is none
 */
export async function postBody({ body, type, query, key, stream }) {
  const path = stream === undefined ? '/events' : `/events/${encodeURIComponent(stream)}`;
  const headers = { 'Content-Type': type };
  if (key) headers.Authorization = `Bearer ${key}`;
  let status = 'no response';
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const response = await fetch(`${path}?${query}`, { method: 'POST', headers, body, signal });
    status = `HTTP ${response.status}`;
    return await response.json();
  } catch ({ message }) {
    throw new Error(`${status}: ${message}`);
  }
}

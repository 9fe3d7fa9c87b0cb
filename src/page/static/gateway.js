/** Polling of the gateway: it may restart, lose Kafka, or load other streams and schemas. */

const PERIOD_MS = 3_000;
const ANSWER_MS = 2_500;

/**
 * Calls `handle` with each response of /page.json, and with undefined if there is none.
 * @param stream chosen stream; undefined = none
 */
export function watchGateway(key, stream, handle) {
  // Browsers do not state the origin of such a request, on which the streams depend.
  const query = `?origin=${encodeURIComponent(location.origin)}`;
  const path = (stream === undefined ? '/page.json' : `/page.json/${stream}`) + query;
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const ask = async () => {
    handle(await answer(path, headers));
    setTimeout(ask, PERIOD_MS);
  };
  ask();
}

async function answer(path, headers) {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const response = await fetch(path, { headers, cache: 'no-store', signal });
    return response.ok ? await response.json() : undefined;
  } catch {
    return undefined;
  }
}

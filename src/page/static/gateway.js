/** Polling of the gateway: it may restart, lose Kafka, or load another schema. */

const PERIOD_MS = 3_000;
const ANSWER_MS = 2_500;

/** Calls `handle` with each response of /page.json, and with undefined if there is none. */
export function watchGateway(key, handle) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const ask = async () => {
    handle(await answer(headers));
    setTimeout(ask, PERIOD_MS);
  };
  ask();
}

async function answer(headers) {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const response = await fetch('/page.json', { headers, cache: 'no-store', signal });
    return response.ok ? await response.json() : undefined;
  } catch {
    return undefined;
  }
}

/** Stream of events of the gateway, with the admin token, which EventSource cannot send. */

/**
 * Opens the stream. Calls `on.NAME(data)` for each event of the stream.
 * @param query filters, as `stream=clicks`
 * @param token of the admin port; undefined = none
 * @param signal closes the stream
 * @returns the reason of its end: `{ status, message }` of a rejection, or `{}`
 */
export async function readEvents(query, token, signal, on) {
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const response = await fetch(`tail?${query}`, { headers, signal, cache: 'no-store' });
  if (!response.ok) {
    const { error } = await response.json().catch(() => ({}));
    return { status: response.status, message: error?.message ?? `status ${response.status}` };
  }
  let text = '';
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return {};
    text += value;
    const frames = text.split('\n\n');
    text = frames.pop();
    for (const frame of frames) {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(frame) ?? [];
      if (name !== undefined) on[name]?.(JSON.parse(data));
    }
  }
}

/** Sending of many events at once, with a progress bar and a summary. */

/** Events created before yielding to the user interface. */
const SLICE = 500;

const number = (value) => Math.round(value).toLocaleString('en');

/**
 * Calls `sendNext` for each of `count` events, and `progress(done)` after each result. @returns the
 * summary
 */
export async function sendMany(sendNext, count, progress) {
  const begun = performance.now();
  const times = [];
  const failures = new Map();
  let done = 0;
  const sends = [];
  for (let sent = 0; sent < count; sent++) {
    if (sent % SLICE === 0) await new Promise((next) => setTimeout(next));
    const sentAt = performance.now();
    const send = sendNext().then(
      () => times.push(performance.now() - sentAt),
      ({ code }) => failures.set(code, (failures.get(code) ?? 0) + 1),
    );
    sends.push(send.then(() => progress(++done)));
  }
  await Promise.all(sends);
  return story(times, failures, (performance.now() - begun) / 1000);
}

function story(times, failures, seconds) {
  const parts = [];
  if (times.length > 0) {
    times.sort((a, b) => a - b);
    const at = (share) => number(times[Math.floor((times.length - 1) * share)]);
    const rate = `${number(times.length / seconds)} per second`;
    parts.push(`${number(times.length)} stored in ${seconds.toFixed(2)} s, ${rate}`);
    parts.push(`time to ack: half within ${at(0.5)} ms, 99% within ${at(0.99)} ms`);
  }
  for (const [code, count] of failures) parts.push(`${number(count)} failed: ${code}`);
  return parts.join('; ');
}

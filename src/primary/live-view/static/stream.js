/** Event stream of the gateway; closed while the page is hidden, and caught up afterwards. */

const SILENCE_MS = 5_000;
const AGAIN_MS = 3_000;

/**
 * Calls `past` with all points when a connection opens, `point` every second, `violations` when they
 * have changed, and `away` with a text while no data arrives.
 */
export function openStream({ past, point, violations, away }) {
  let source;
  let timer;
  const later = (ms, act) => {
    clearTimeout(timer);
    timer = setTimeout(act, ms);
  };
  const received = (handle) => (event) => {
    later(SILENCE_MS, () => away('No data from this instance'));
    handle(JSON.parse(event.data));
  };
  const close = () => {
    source?.close();
    clearTimeout(timer);
  };
  const open = () => {
    close();
    source = new EventSource('live');
    source.addEventListener('past', received(past));
    source.addEventListener('point', received(point));
    source.addEventListener('violations', received(violations));
    source.addEventListener('error', () => {
      clearTimeout(timer);
      const refused = source.readyState === EventSource.CLOSED;
      away(refused ? 'This page receives no data' : 'This instance cannot be reached');
      // EventSource reconnects after a lost connection, but not after a rejected one.
      if (refused) later(AGAIN_MS, open);
    });
  };
  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
  if (!document.hidden) open();
}

/** The numbers as they come; none while nobody sees the page, and those that were missed after. */

const SILENCE_MS = 5_000;
const AGAIN_MS = 3_000;

/**
 * Calls `past` with all there is when a connection opens, `point` once a second, and `away` with a
 * text while nothing comes.
 */
export function openStream({ past, point, away }) {
  let source;
  let timer;
  const later = (ms, act) => {
    clearTimeout(timer);
    timer = setTimeout(act, ms);
  };
  const heard = (tell) => (event) => {
    later(SILENCE_MS, () => away('No data from this instance'));
    tell(JSON.parse(event.data));
  };
  const close = () => {
    source?.close();
    clearTimeout(timer);
  };
  const open = () => {
    close();
    source = new EventSource('live');
    source.addEventListener('past', heard(past));
    source.addEventListener('point', heard(point));
    source.addEventListener('error', () => {
      clearTimeout(timer);
      const refused = source.readyState === EventSource.CLOSED;
      away(refused ? 'This page receives no data' : 'This instance cannot be reached');
      // It tries again by itself after a connection that was lost, not after one that was refused.
      if (refused) later(AGAIN_MS, open);
    });
  };
  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
  if (!document.hidden) open();
}

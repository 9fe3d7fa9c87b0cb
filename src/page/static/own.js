/** The user's own event. */
import { placeOf, wrongAt } from './json.js';

/** @returns the event in the text area; undefined = invalid, with the reason and position shown */
export function readOwn(text, result) {
  let event;
  try {
    event = JSON.parse(text.value);
  } catch {
    const at = wrongAt(text.value);
    text.focus();
    text.setSelectionRange(at, at + 1);
    result.textContent = `not sent: invalid JSON at ${placeOf(text.value, at)}`;
    return undefined;
  }
  if (typeof event === 'object' && event !== null && !Array.isArray(event)) return event;
  result.textContent = 'not sent: an event must be a JSON object';
  return undefined;
}

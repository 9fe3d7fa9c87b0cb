/**
 * The key of this page, if the gateway requires one. It is stored in the tab's history state, which
 * survives a reload but is not visible in the address or in storage shared with other tabs.
 */
import { element } from './events.js';

/** API key or JWT; undefined: none was entered. */
export const key = history.state?.key;

/** Shows the key form while the gateway rejects the page without a key, or with this one. */
export function showKeyForm(rejected) {
  if (key) element('key-text').textContent = 'This key was rejected. Another API key, or a JWT:';
  element('key').hidden = rejected !== 'unauthorized';
}

/** A new key requires a new client, so the page reloads. */
export function startKeyForm() {
  element('key').addEventListener('submit', (submitted) => {
    submitted.preventDefault();
    history.replaceState({ ...history.state, key: element('token').value }, '');
    location.reload();
  });
}

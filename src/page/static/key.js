/**
 * The key that this page brings, where the gateway asks for one. It lives in the state of the tab's
 * history: there it outlasts a reload, and is in no address and no storage that other tabs have.
 */
import { element } from './events.js';

/** An API key or a JWT; undefined: none was given. */
export const key = history.state?.key;

/** Shows the form for a key while the gateway rejects the page without one, or with this one. */
export function showKeyForm(rejected) {
  if (key) element('key-text').textContent = 'This key was rejected. Another API key, or a JWT:';
  element('key').hidden = rejected !== 'unauthorized';
}

/** A new key takes a new client, so the page begins anew. */
export function startKeyForm() {
  element('key').addEventListener('submit', (submitted) => {
    submitted.preventDefault();
    history.replaceState({ key: element('token').value }, '');
    location.reload();
  });
}

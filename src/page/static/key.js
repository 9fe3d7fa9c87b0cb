/**
 * The key that this page brings, where the gateway asks for one. It lives in the state of the tab's
 * history: there it outlasts a reload, and is in no address and no storage that other tabs have.
 */
import { element } from './events.js';

/** An API key or a JWT; undefined: none was given. */
export const key = history.state?.key;

/** Has the form for a key there as long as the gateway lets nobody in with what the page has. */
export function showKeyForm({ state, problem }) {
  const form = element('key');
  if (state === 'open' || state === 'fallback') form.hidden = true;
  if (!problem?.includes('HTTP 401') || !form.hidden) return;
  if (key) element('key-text').textContent = 'This key does not let in. Another one, or a JWT:';
  form.hidden = false;
}

/** A new key takes a new client, so the page begins anew. */
export function startKeyForm() {
  element('key').addEventListener('submit', (submitted) => {
    submitted.preventDefault();
    history.replaceState({ key: element('token').value }, '');
    location.reload();
  });
}

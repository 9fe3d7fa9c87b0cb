/**
 * The key of this page, if the gateway requires one. It is stored in the tab's history state, which
 * survives a reload but is not visible in the address or in storage shared with other tabs.
 */
import { element } from './events.js';

/** API key or JWT; undefined: none was entered. */
export const key = history.state?.key;

const TEXTS = {
  required: element('key-text').textContent,
  rejected: 'This key was rejected. Another API key, or a JWT:',
  anonymous: 'Without a key, only open streams are available. API key or JWT for others:',
};

/**
 * Shows the key form while the gateway rejects the page without a key, or with this one, or accepts
 * it without one for open streams only.
 */
export function showKeyForm({ rejected, anonymous = false }) {
  const text = key ? TEXTS.rejected : anonymous ? TEXTS.anonymous : TEXTS.required;
  element('key-text').textContent = text;
  element('key').hidden = rejected !== 'unauthorized' && !anonymous;
}

/** A new key requires a new client, so the page reloads. */
export function startKeyForm() {
  element('key').addEventListener('submit', (submitted) => {
    submitted.preventDefault();
    history.replaceState({ ...history.state, key: element('token').value }, '');
    location.reload();
  });
}

/**
 * The stream of this page, if the gateway has several. Like the key, the choice is stored in the
 * tab's history state, and a new one requires a new client: the page reloads.
 */
import { element } from './events.js';

/** Name of the chosen stream; undefined = the gateway has no streams, or none was chosen yet. */
export const stream = history.state?.stream;

/** Shows the streams of a response; without a valid choice, chooses that of the response. */
export function showStreams({ streams, stream: current }) {
  element('choice').hidden = streams === undefined;
  if (streams === undefined) return;
  if (current !== undefined && current !== stream) return choose(current);
  const select = element('stream');
  const names = streams.join();
  if (select.dataset.names === names) return;
  select.dataset.names = names;
  select.replaceChildren(...streams.map((name) => new Option(name, name)));
  select.value = current ?? '';
}

export function startStreamChoice() {
  element('stream').addEventListener('change', () => choose(element('stream').value));
}

function choose(name) {
  history.replaceState({ ...history.state, stream: name }, '');
  location.reload();
}

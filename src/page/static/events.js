/** The list of sent events and their results. */

const ROWS_MAX = 200;

export const element = (id) => document.getElementById(id);

/** Prepends a line to a list; removes the oldest above `most`. */
export function prepend(list, row, most) {
  list.prepend(row);
  if (list.childElementCount > most) list.lastElementChild.remove();
}

/** A row per event. */
export class EventList {
  /** Keyed by the event itself: several may have the same id, or none. Oldest first. */
  #rows = new Map();

  /** @param id attribute of the row for tests and tools, not displayed */
  add(event, id) {
    const row = document.createElement('li');
    const code = document.createElement('code');
    const outcome = document.createElement('span');
    code.textContent = JSON.stringify(event);
    outcome.className = 'outcome';
    row.append(code, outcome);
    row.dataset.id = id;
    this.#rows.set(event, row);
    if (this.#rows.size > ROWS_MAX) this.#rows.delete(this.#rows.keys().next().value);
    prepend(element('log'), row, ROWS_MAX);
    this.show(event, 'waiting', 'waiting');
  }

  /** Does nothing for an event that is not in the list. */
  show(event, state, text) {
    const row = this.#rows.get(event);
    if (!row) return;
    row.dataset.state = state;
    row.lastChild.textContent = text;
  }
}

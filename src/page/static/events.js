/** The list of events: what was sent, and what became of it. */

const ROWS_MAX = 200;

export const element = (id) => document.getElementById(id);

/** Puts a line on top of a list; takes the oldest beyond `most` away. @returns that one */
export function prepend(list, row, most) {
  list.prepend(row);
  const oldest = list.childElementCount > most ? list.lastElementChild : undefined;
  oldest?.remove();
  return oldest;
}

/** A row per event, by its id. */
export class EventList {
  #rows = new Map();

  add(id, text) {
    const row = document.createElement('li');
    const code = document.createElement('code');
    const outcome = document.createElement('span');
    code.textContent = text;
    outcome.className = 'outcome';
    row.append(code, outcome);
    row.dataset.id = id;
    this.#rows.set(row.dataset.id, row);
    this.#rows.delete(prepend(element('log'), row, ROWS_MAX)?.dataset.id);
    this.show(id, 'waiting', 'waiting');
  }

  /** Does nothing for an event that is not, or no longer, in the list. */
  show(id, state, text) {
    const row = this.#rows.get(String(id));
    if (!row) return;
    row.dataset.state = state;
    row.lastChild.textContent = text;
  }
}

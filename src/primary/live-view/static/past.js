/** The last ten minutes: a point a second, a number per column. */
export class Past {
  #columns;
  #secondsMax;
  #points;

  constructor({ columns, secondsMax, points }) {
    this.#columns = new Map(columns.map((name, index) => [name, index]));
    this.#secondsMax = secondsMax;
    this.#points = points;
  }

  add(point) {
    this.#points.push(point);
    if (this.#points.length > this.#secondsMax) this.#points.shift();
  }

  get secondsMax() {
    return this.#secondsMax;
  }

  /** How many seconds before the last point each one was, oldest first. */
  ages() {
    const times = this.values('at');
    const last = times.at(-1);
    return times.map((time) => (last - time) / 1000);
  }

  /** The last value of a column; null where there is none. */
  value(column) {
    return this.#points.at(-1)?.[this.#index(column)] ?? null;
  }

  /** All values of a column, oldest first. */
  values(column) {
    const index = this.#index(column);
    return this.#points.map((point) => point[index]);
  }

  /** What a column's counts add up to in the last so many points. */
  sum(column, points = this.#secondsMax) {
    const index = this.#index(column);
    return this.#points.slice(-points).reduce((sum, point) => sum + point[index], 0);
  }

  /** The columns that begin so, without that. */
  kinds(prefix) {
    const names = [...this.#columns.keys()].filter((name) => name.startsWith(`${prefix}.`));
    return names.map((name) => name.slice(prefix.length + 1));
  }

  #index(column) {
    const index = this.#columns.get(column);
    if (index === undefined) throw new Error(`there is no column ${column}`);
    return index;
  }
}

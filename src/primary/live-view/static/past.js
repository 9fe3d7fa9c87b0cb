/** Points of the last ten minutes: one per second, a value per column. */
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

  /** Age of each point in seconds before the last one, oldest first. */
  ages() {
    const times = this.values('at');
    const last = times.at(-1);
    return times.map((time) => (last - time) / 1000);
  }

  /** Last value of a column; null if none. */
  value(column) {
    return this.#points.at(-1)?.[this.#index(column)] ?? null;
  }

  /** All values of a column, oldest first. */
  values(column) {
    const index = this.#index(column);
    return this.#points.map((point) => point[index]);
  }

  /** Sum of a column's counts over the last `points` points. */
  sum(column, points = this.#secondsMax) {
    const index = this.#index(column);
    return this.#points.slice(-points).reduce((sum, point) => sum + point[index], 0);
  }

  /** Suffixes of the columns with this prefix. */
  kinds(prefix) {
    const names = [...this.#columns.keys()].filter((name) => name.startsWith(`${prefix}.`));
    return names.map((name) => name.slice(prefix.length + 1));
  }

  #index(column) {
    const index = this.#columns.get(column);
    if (index === undefined) throw new Error(`unknown column ${column}`);
    return index;
  }
}

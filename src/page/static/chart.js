/** A bar chart of one value per second for the last minute. */

const SECONDS = 60;
const HEIGHT = 100;

export class Chart {
  #svg;
  #name;
  #bars;
  #values = Array(SECONDS).fill(0);

  /**
   * `name` begins the label for screen readers: "stored per second, last minute: now 1, most 1".
   */
  constructor(svg, name) {
    this.#svg = svg;
    this.#name = name;
    svg.setAttribute('viewBox', `0 0 ${SECONDS} ${HEIGHT}`);
    this.#bars = this.#values.map((_, second) => {
      const bar = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
      bar.setAttribute('x', String(second + 0.1));
      bar.setAttribute('width', '0.8');
      svg.append(bar);
      return bar;
    });
  }

  /** Appends the value of a second and removes the oldest. */
  add(value) {
    this.#values.push(value);
    this.#values.shift();
    const most = Math.max(...this.#values);
    for (const [second, bar] of this.#bars.entries()) {
      const height = most > 0 ? (HEIGHT * this.#values[second]) / most : 0;
      bar.setAttribute('y', String(HEIGHT - height));
      bar.setAttribute('height', String(height));
    }
    const text = `${this.#name}, last minute: now ${Math.round(value)}, most ${Math.round(most)}`;
    this.#svg.setAttribute('aria-label', text);
  }
}

/** A line chart of one or two columns, with a readout at one time. */
import { element, svgElement } from './nodes.js';
import { setText } from './texts.js';

const HEIGHT = 100;
/** Points further apart are not joined: the values between are unknown. */
const JOINED_SECONDS = 3;

export class Chart {
  element;
  #title;
  #series;
  #format;
  #fixedMost;
  #span = 1;
  #ages = [];
  #svg;
  #cursor = svgElement('path', { class: 'cursor' });
  #grid = svgElement('path', { class: 'grid' });
  #most = element('span', { class: 'most', 'aria-hidden': 'true' });
  #since = element('span');

  /**
   * `series` lists the lines: `{ name, of(past) }`, where `of` returns a value or null per point.
   * `most` is the upper end of the scale; by default it fits the data.
   */
  constructor({ title, series, format, most }) {
    this.#title = title;
    this.#format = format;
    this.#fixedMost = most;
    this.#series = series.map(({ name, of }, index) => ({
      name,
      of,
      path: svgElement('path', { class: `line line-${index}` }),
      shown: element('span', { class: 'value' }),
      values: [],
    }));
    const paths = this.#series.map(({ path }) => path);
    const how = { role: 'img', preserveAspectRatio: 'none' };
    this.#svg = svgElement('svg', how, this.#grid, ...paths, this.#cursor);
    const legend = this.#series.map(({ name, shown }, index) =>
      element('span', { class: 'entry' }, swatch(index), ` ${name} `, shown),
    );
    const ends = [this.#since, element('span', {}, 'now')];
    this.element = element(
      'figure',
      { class: 'card' },
      element('figcaption', {}, element('strong', {}, title), ...legend),
      element('div', { class: 'plot' }, this.#most, this.#svg),
      element('div', { class: 'ends', 'aria-hidden': 'true' }, ...ends),
    );
  }

  /** Calls `seen` with the age in seconds at the pointer, and with undefined when it leaves. */
  onPointer(seen) {
    this.#svg.addEventListener('pointermove', (event) => {
      const { left, width } = this.#svg.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (event.clientX - left) / width));
      seen(Math.round((1 - share) * this.#span));
    });
    this.#svg.addEventListener('pointerleave', () => seen(undefined));
  }

  /** Draws the last `span` seconds; `since` labels their start. */
  draw(past, span, since) {
    this.#span = span;
    this.#ages = past.ages();
    for (const series of this.#series) series.values = series.of(past);
    const highest = Math.max(0, ...this.#series.flatMap(({ values }) => values));
    const most = this.#fixedMost ?? roundedUp(highest);
    setText(this.#most, this.#format(most));
    setText(this.#since, since);
    this.#svg.setAttribute('viewBox', `0 0 ${span} ${HEIGHT}`);
    this.#grid.setAttribute('d', `M0 1H${span}M0 50H${span}`);
    const texts = this.#series.map(({ name, path, values }) => {
      path.setAttribute('d', line(values, this.#ages, span, most));
      const highestOfIt = this.#format(Math.max(0, ...values));
      return `${name} now ${this.#format(values.at(-1) ?? null)}, most ${highestOfIt}`;
    });
    this.#svg.setAttribute('aria-label', `${this.#title}, last 10 minutes: ${texts.join('; ')}`);
  }

  /** Shows the values of the given age in seconds. @returns them as text */
  lookBack(seconds) {
    const x = this.#span - seconds;
    this.#cursor.setAttribute('d', seconds === 0 ? '' : `M${x} 0V${HEIGHT}`);
    const point = this.#ages.findIndex((age) => Math.abs(age - seconds) <= 1);
    const texts = this.#series.map(({ name, shown, values }) => {
      const text = this.#format((seconds === 0 ? values.at(-1) : values[point]) ?? null);
      setText(shown, text);
      return `${name} ${text}`;
    });
    return `${this.#title}: ${texts.join(', ')}`;
  }
}

function swatch(index) {
  const path = svgElement('path', { class: `line line-${index}`, d: 'M1 5H23' });
  return svgElement('svg', { class: 'swatch', viewBox: '0 0 24 10', 'aria-hidden': 'true' }, path);
}

/** Draws an isolated point as a dot: its line has no length, but round caps. */
function line(values, ages, span, most) {
  let path = '';
  let joined;
  for (const [index, value] of values.entries()) {
    const age = ages[index];
    if (value === null) {
      joined = undefined;
      continue;
    }
    const place = `${(span - age).toFixed(1)} ${yOf(Math.min(1, value / most))}`;
    path += joined - age <= JOINED_SECONDS ? `L${place}` : `M${place}L${place}`;
    joined = age;
  }
  return path;
}

/** Within the chart, including half of a line's width. */
function yOf(share) {
  return (HEIGHT - 1 - (HEIGHT - 2) * share).toFixed(1);
}

/** Rounds up to 1, 2 or 5 times a power of ten, so that the scale rarely changes. */
function roundedUp(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((step) => step * power >= value) * power;
}

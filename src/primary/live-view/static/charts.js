/** The charts, with a shared cursor: the slider or a pointer. */
import { Chart } from './chart.js';
import { amount, milliseconds, percent, seconds, setText } from './texts.js';

const column = (name) => (past) => past.values(name);
const bufferPercent = (past) => {
  const limits = past.values('bufferLimitBytes');
  return past
    .values('bufferBytes')
    .map((bytes, i) => (limits[i] > 0 ? (100 * bytes) / limits[i] : 0));
};

const CHARTS = [
  {
    title: 'Events per second',
    format: amount,
    series: [
      { name: 'received', of: column('received') },
      { name: 'stored', of: column('stored') },
    ],
  },
  {
    title: 'Not stored per second',
    format: amount,
    series: [
      { name: 'refused', of: column('refused') },
      { name: 'dropped', of: column('dropped') },
    ],
  },
  {
    title: 'Time to acknowledge',
    format: milliseconds,
    series: [
      { name: 'p50', of: column('ackP50') },
      { name: 'p99', of: column('ackP99') },
    ],
  },
  {
    title: 'Kafka’s time to answer',
    format: milliseconds,
    series: [
      { name: 'p50', of: column('produceP50') },
      { name: 'p99', of: column('produceP99') },
    ],
  },
  {
    title: 'Buffer in use',
    format: percent,
    most: 100,
    series: [{ name: 'of all workers', of: bufferPercent }],
  },
  {
    title: 'CPU cores in use',
    format: amount,
    series: [{ name: 'by all workers', of: column('cpu') }],
  },
];

/** Time spans of the charts in seconds: the shortest that holds all points is used. */
const SPANS = [60, 120, 300];

export class Charts {
  #charts = CHARTS.map((options) => new Chart(options));
  #back;
  #when;

  constructor(place, back, when) {
    this.#back = back;
    this.#when = when;
    place.replaceChildren(...this.#charts.map((chart) => chart.element));
    back.addEventListener('input', () => this.#lookBack());
    for (const chart of this.#charts) {
      chart.onPointer((before) => {
        back.value = String(-(before ?? 0));
        this.#lookBack();
      });
    }
  }

  draw(past) {
    const oldest = past.ages()[0] ?? 0;
    const span = SPANS.find((seconds) => oldest <= seconds) ?? past.secondsMax;
    this.#back.min = String(-span);
    for (const chart of this.#charts) chart.draw(past, span, ago(span));
    this.#lookBack();
  }

  #lookBack() {
    const before = -Number(this.#back.value);
    const when = before === 0 ? 'now' : ago(before);
    setText(this.#when, when);
    const texts = this.#charts.map((chart) => chart.lookBack(before));
    this.#back.setAttribute('aria-valuetext', `${when}. ${texts.join('. ')}`);
  }
}

function ago(before) {
  return `${seconds(before)} ago`;
}

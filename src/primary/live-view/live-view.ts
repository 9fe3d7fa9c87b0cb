/**
 * Data of the live view: one point per second for the last ten minutes.
 *
 *   totals ── sampler ──▶ points (a ring) ──▶ viewers, as Server-Sent Events
 *
 * `past` is the first event of a stream, with all points; `point` follows every second.
 */
import type { ServerResponse } from 'node:http';
import { EVENT_CODES, eventCodes } from '../../common/errors.ts';
import { LIMITS } from '../../config/limits.ts';
import type { MetricTotals } from '../metric-totals.ts';
import type { Point } from './columns.ts';
import { COLUMNS } from './columns.ts';
import { Sampler, type ViewFacts } from './sampler.ts';
import { Viewers } from './viewers.ts';

/** Descriptions of the codes. */
const TEXTS = Object.fromEntries(eventCodes.map((code) => [code, EVENT_CODES[code].text]));

/** Constant facts. The admin port shows them without a token, so no secrets. */
export interface About {
  readonly version: string;
  readonly topic: string;
  readonly brokers: readonly string[];
}

export class LiveView {
  readonly #sampler: Sampler;
  readonly #about: About;
  readonly #points: Point[] = [];
  readonly #viewers = new Viewers();
  #timer: NodeJS.Timeout | undefined;

  constructor(sampler: Sampler, about: About) {
    this.#sampler = sampler;
    this.#about = about;
  }

  static of(totals: MetricTotals, about: About, facts: ViewFacts): LiveView {
    return new LiveView(new Sampler(totals, facts), about);
  }

  start(): this {
    this.#timer = setInterval(() => this.sample(), LIMITS.liveView.everyMs);
    return this;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Records a point and sends it to the viewers. */
  sample(): void {
    const point = this.#sampler.point();
    this.#points.push(point);
    if (this.#points.length > LIMITS.liveView.points) this.#points.shift();
    if (this.#viewers.size === 0) return;
    this.#viewers.send('point', { point, status: this.#sampler.status() });
  }

  /** Streams to `response` until it ends. @returns false if the viewer limit is reached */
  watch(response: ServerResponse): boolean {
    if (!this.#viewers.add(response)) return false;
    this.#viewers.sendTo(response, 'past', {
      ...this.#about,
      secondsMax: LIMITS.liveView.points,
      columns: COLUMNS,
      texts: TEXTS,
      points: this.#points,
      status: this.#sampler.status(),
    });
    return true;
  }
}

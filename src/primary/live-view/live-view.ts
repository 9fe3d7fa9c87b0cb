/**
 * The live view's numbers: one point a second, the last ten minutes of them, for whoever looks.
 *
 *   totals ── sampler ──▶ points (a ring) ──▶ viewers, as Server-Sent Events
 *
 * `past` is the first event of a stream, with all points; `point` follows once a second.
 */
import type { ServerResponse } from 'node:http';
import { EVENT_CODES, eventCodes } from '../../common/errors.ts';
import { LIMITS } from '../../config/limits.ts';
import type { Totals } from '../metric-totals.ts';
import type { Point } from './columns.ts';
import { COLUMNS } from './columns.ts';
import { Sampler, type ViewFacts } from './sampler.ts';
import { Viewers } from './viewers.ts';

/** What the codes mean, for people. */
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

  static of(totals: Totals, about: About, facts: ViewFacts): LiveView {
    return new LiveView(new Sampler(totals, facts), about);
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), LIMITS.liveView.everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Takes a point, and shows it to those who look. */
  look(): void {
    const point = this.#sampler.point();
    this.#points.push(point);
    if (this.#points.length > LIMITS.liveView.points) this.#points.shift();
    if (this.#viewers.size === 0) return;
    this.#viewers.send('point', { point, status: this.#sampler.status() });
  }

  /** Streams to `response` until it ends. @returns false when there are viewers enough */
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

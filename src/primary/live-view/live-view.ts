/**
 * Data of the live view: one point per second for the last ten minutes.
 *
 *   totals ── sampler ──▶ points (a ring) ──▶ viewers, as Server-Sent Events
 *
 * `past` is the first event of a stream, with all points; `point` follows every second;
 * `violations` follows `past`, and whenever they have changed.
 */
import type { ServerResponse } from 'node:http';
import { EVENT_CODES, eventCodes } from '../../common/errors.ts';
import { LIMITS } from '../../config/limits.ts';
import type { MetricTotals } from '../metric-totals.ts';
import type { InstanceViolations } from '../violations.ts';
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
  /** The live tail of events is on. */
  readonly tail: boolean;
}

/** Sources of the live view on top of the totals. */
export interface ViewSources extends ViewFacts {
  readonly violations: ViewedViolations;
}

type ViewedViolations = Pick<InstanceViolations, 'version' | 'list'>;

export class LiveView {
  readonly #sampler: Sampler;
  readonly #about: About;
  readonly #violations: ViewedViolations;
  /** Version that the viewers have. */
  #violationsSent = 0;
  readonly #points: Point[] = [];
  readonly #viewers = new Viewers();
  #timer: NodeJS.Timeout | undefined;

  constructor(sampler: Sampler, about: About, violations: ViewedViolations) {
    this.#sampler = sampler;
    this.#about = about;
    this.#violations = violations;
  }

  static of(totals: MetricTotals, about: About, sources: ViewSources): LiveView {
    return new LiveView(new Sampler(totals, sources), about, sources.violations);
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
    const { version } = this.#violations;
    if (version === this.#violationsSent) return;
    this.#violationsSent = version;
    this.#viewers.send('violations', this.#violations.list());
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
    this.#viewers.sendTo(response, 'violations', this.#violations.list());
    return true;
  }
}

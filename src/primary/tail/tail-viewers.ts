/**
 * Viewers of the live tail, as Server-Sent Events:
 *
 *   `begin`   limits, streams and codes, once
 *   `event`   an event that a worker has decided
 *   `status`  every second: events that were left out, time left, the outage of Kafka
 *   `gap`     a worker died; the outcomes of its last moment are missing
 *   `end`     the time is over, or the instance stops; the stream ends
 *
 * Invariant: a viewer never delays a worker. What it does not read is left out and counted.
 */
import type { ServerResponse } from 'node:http';
import { EVENT_CODES, eventCodes } from '../../common/errors.ts';
import { NO_STREAM } from '../../metrics/slots.ts';
import type { TailReport, TailViewer } from '../../tail/entry.ts';
import { OUTCOMES, type TailFilter } from '../../tail/filter.ts';
import { TAIL_LIMITS } from '../../tail/limits.ts';
import type { Redaction } from '../../tail/redaction.ts';
import type { DeferredLog } from '../deferred-log.ts';
import { beginStream, frameOf } from '../live-view/viewers.ts';

/** Descriptions of the codes. */
const CODES = Object.fromEntries(eventCodes.map((code) => [code, EVENT_CODES[code].text]));

/** Facts about the instance for its viewers, and its effects. */
export interface TailSources {
  /** Names of the streams, in their order. */
  streams(): readonly string[];
  readonly redaction: Redaction;
  /** Effect of the current outage of Kafka; undefined = there is none. */
  outage(): string | undefined;
  /** Accepted events whose senders wait for an answer. */
  waiting(): number;
  /** Sends all viewers to the workers. */
  changed(viewers: readonly TailViewer[]): void;
  readonly log: Pick<DeferredLog, 'write'>;
  /** Monotonic clock, ms. */
  readonly now?: () => number;
}

interface Viewer extends TailViewer {
  readonly response: ServerResponse;
  readonly sinceMs: number;
  readonly fields: object;
  shown: number;
  /** Shown since the last status. */
  recent: number;
  skipped: number;
  /** Time since which it has not read enough; undefined = it reads. */
  unreadSinceMs: number | undefined;
}

type End = 'time' | 'stopping' | 'slow' | 'closed';

export class TailViewers {
  readonly #sources: TailSources;
  readonly #now: () => number;
  readonly #viewers = new Map<number, Viewer>();
  #lastId = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(sources: TailSources) {
    this.#sources = sources;
    this.#now = sources.now ?? (() => performance.now());
  }

  /** All viewers, for a worker that starts. */
  get viewers(): readonly TailViewer[] {
    return [...this.#viewers.values()].map(({ id, filter }) => ({ id, filter }));
  }

  /** Names of the streams that filters may contain. */
  get streams(): readonly string[] {
    return [...this.#sources.streams(), NO_STREAM];
  }

  /**
   * Streams to `response` until it ends, or its time is over.
   * @param address of the viewer, for the log
   * @returns false if the viewer limit is reached
   */
  watch(response: ServerResponse, filter: TailFilter, address: string | undefined): boolean {
    const { viewers, eventsPerSecond, durationMs } = TAIL_LIMITS;
    if (this.#viewers.size >= viewers) return false;
    const id = ++this.#lastId;
    const fields = { viewer: id, address, filter };
    const state = {
      shown: 0,
      recent: 0,
      skipped: 0,
      sinceMs: this.#now(),
      unreadSinceMs: undefined,
    };
    this.#viewers.set(id, { id, filter, response, fields, ...state });
    response.on('close', () => this.#end(id, 'closed'));
    beginStream(response);
    const { redaction } = this.#sources;
    const begin = {
      seconds: durationMs / 1000,
      eventsPerSecond,
      redaction:
        typeof redaction === 'string' ? redaction : redaction.map((path) => path.join('.')),
      streams: this.streams,
      outcomes: OUTCOMES,
      codes: CODES,
    };
    response.write(frameOf('begin', JSON.stringify(begin)));
    this.#timer ??= setInterval(() => this.tick(), TAIL_LIMITS.statusMs);
    this.#sources.log.write('info', fields, 'live tail opened');
    this.#changed();
    return true;
  }

  /** Passes the events of a worker on. */
  report({ entries, skipped }: TailReport): void {
    for (const [id, events] of skipped) {
      const viewer = this.#viewers.get(id);
      if (viewer !== undefined) viewer.skipped += events;
    }
    for (const { viewers, json } of entries) {
      const text = frameOf('event', json);
      for (const id of viewers) {
        const viewer = this.#viewers.get(id);
        if (viewer !== undefined) show(viewer, text);
      }
    }
  }

  /** Announces the death of a worker to the viewers. */
  workerDied(): void {
    for (const { response } of this.#viewers.values()) response.write(frameOf('gap', '{}'));
  }

  /** Sends the status to all viewers; ends tails without time left, and slow ones. */
  tick(): void {
    const nowMs = this.#now();
    const { durationMs, unreadBytes, unreadMs } = TAIL_LIMITS;
    for (const viewer of [...this.#viewers.values()]) {
      const { id, response, sinceMs, skipped } = viewer;
      const leftMs = durationMs - (nowMs - sinceMs);
      if (leftMs <= 0) {
        this.#end(id, 'time');
        continue;
      }
      if (response.writableLength > unreadBytes) {
        viewer.unreadSinceMs ??= nowMs;
        if (nowMs - viewer.unreadSinceMs >= unreadMs) this.#end(id, 'slow');
        continue;
      }
      viewer.unreadSinceMs = undefined;
      viewer.skipped = 0;
      viewer.recent = 0;
      const secondsLeft = Math.ceil(leftMs / 1000);
      const outage = this.#sources.outage() ?? null;
      const status = { skipped, secondsLeft, waiting: this.#sources.waiting(), outage };
      response.write(frameOf('status', JSON.stringify(status)));
    }
  }

  /** Ends all tails: the instance stops. */
  stop(): void {
    for (const id of [...this.#viewers.keys()]) this.#end(id, 'stopping');
  }

  #end(id: number, reason: End): void {
    const viewer = this.#viewers.get(id);
    if (viewer === undefined) return;
    this.#viewers.delete(id);
    const { response, fields, shown, sinceMs } = viewer;
    const seconds = Math.round((this.#now() - sinceMs) / 1000);
    this.#sources.log.write('info', { ...fields, shown, seconds, reason }, 'live tail closed');
    if (reason === 'slow') response.destroy();
    else if (reason !== 'closed') {
      response.end(frameOf('end', JSON.stringify({ reason })));
      // It may not read the end either.
      setTimeout(() => response.destroy(), TAIL_LIMITS.unreadMs).unref();
    }
    if (this.#viewers.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    this.#changed();
  }

  #changed(): void {
    this.#sources.changed(this.viewers);
  }
}

/** Sends an event, unless the viewer has received enough in this second, or does not read. */
function show(viewer: Viewer, text: string): void {
  const { response, recent } = viewer;
  const { eventsPerSecond, unreadBytes } = TAIL_LIMITS;
  if (recent >= eventsPerSecond || response.writableLength > unreadBytes) {
    viewer.skipped++;
    return;
  }
  viewer.recent++;
  viewer.shown++;
  response.write(text);
}

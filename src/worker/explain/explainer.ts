/**
 * Explains rejected events in a thread: compiling a schema a second time, and finding all
 * violations, delay no other event of the worker. Its CPU time is limited.
 */
import { Worker } from 'node:worker_threads';
import { EXPLAIN_LIMITS, SCHEMA_LIMITS } from '../../config/schema-limits.ts';
import { TokenBucket } from '../admission/token-bucket.ts';
import type { EventViolations } from './all-violations.ts';

/** Events of a body. */
export interface ExplainRequest {
  readonly body: number;
  readonly items: readonly {
    /** Number of its schema. */
    readonly schema: number;
    /** The event as JSON. */
    readonly text: string;
  }[];
  /** Schemas that the thread does not have, by number. */
  readonly schemas: ReadonlyMap<number, string>;
}

/** Violations of the events of a body, in its order. */
export interface ExplainReply {
  readonly body: number;
  readonly events: readonly EventViolations[];
  /** Time that it took. */
  readonly ms: number;
}

/** Reason why events were not explained. */
export type Unexplained = 'rate_limited' | 'timeout' | 'unavailable';

/** An event and the text of its schema. */
export interface ExplainedEvent {
  readonly schema: string;
  readonly text: string;
}

type Callback = (result: readonly EventViolations[] | Unexplained) => void;

interface Waiting {
  readonly callback: Callback;
  readonly timer: NodeJS.Timeout;
}

export class Explainer {
  readonly #bucket = new TokenBucket({
    eventsPerSecond: EXPLAIN_LIMITS.msPerSecond,
    burst: EXPLAIN_LIMITS.burstMs,
  });
  #thread: Worker | undefined;
  /** Numbers of the schemas that the thread has, by text. */
  readonly #schemas = new Map<string, number>();
  readonly #waiting = new Map<number, Waiting>();
  #bodies = 0;
  #idleTimer: NodeJS.Timeout | undefined;

  /** Whether the next body can be explained. */
  get hasRoom(): boolean {
    const { waitingBodies } = EXPLAIN_LIMITS;
    return this.#waiting.size < waitingBodies && this.#bucket.has(performance.now());
  }

  /**
   * Finds the violations of some events.
   * @param callback receives them in the same order, once, in a later turn of the event loop
   */
  explain(events: readonly ExplainedEvent[], callback: Callback): void {
    clearTimeout(this.#idleTimer);
    if (this.#schemas.size > EXPLAIN_LIMITS.schemas && this.#waiting.size === 0) this.#end();
    this.#thread ??= this.#start();
    const body = this.#bodies++;
    const schemas = new Map<number, string>();
    const items = events.map(({ schema: source, text }) => {
      let schema = this.#schemas.get(source);
      if (schema === undefined) {
        schema = this.#schemas.size;
        this.#schemas.set(source, schema);
        schemas.set(schema, source);
      }
      return { schema, text };
    });
    const timer = setTimeout(() => this.#fail('timeout'), EXPLAIN_LIMITS.timeoutMs);
    this.#waiting.set(body, { callback, timer });
    this.#thread.postMessage({ body, items, schemas } satisfies ExplainRequest);
  }

  /** Ends the thread. */
  close(): void {
    this.#fail('unavailable');
  }

  #start(): Worker {
    const thread = new Worker(new URL('./explain-thread.js', import.meta.url), {
      // Without preloads of this process.
      execArgv: [],
      resourceLimits: {
        maxOldGenerationSizeMb: EXPLAIN_LIMITS.memoryMib,
        stackSizeMb: SCHEMA_LIMITS.checkStackMib,
      },
    });
    thread.unref();
    thread.on('message', (reply: ExplainReply) => this.#replied(reply));
    const failed = () => {
      if (this.#thread === thread) this.#fail('unavailable');
    };
    thread.on('error', failed);
    thread.on('exit', failed);
    return thread;
  }

  #replied({ body, events, ms }: ExplainReply): void {
    const waiting = this.#waiting.get(body);
    if (waiting === undefined) return;
    this.#bucket.charge(Math.max(ms, events.length), performance.now());
    this.#waiting.delete(body);
    clearTimeout(waiting.timer);
    if (this.#waiting.size === 0) {
      this.#idleTimer = setTimeout(() => this.#end(), EXPLAIN_LIMITS.idleMs);
      this.#idleTimer.unref();
    }
    waiting.callback(events);
  }

  /** Ends the thread, which does not end by itself, and all bodies that wait for it. */
  #fail(reason: Unexplained): void {
    this.#end();
    if (reason === 'timeout') {
      const { timeoutMs, burstMs } = EXPLAIN_LIMITS;
      this.#bucket.charge(Math.max(timeoutMs, burstMs), performance.now());
    }
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { callback, timer } of waiting) {
      clearTimeout(timer);
      callback(reason);
    }
  }

  #end(): void {
    clearTimeout(this.#idleTimer);
    const thread = this.#thread;
    this.#thread = undefined;
    this.#schemas.clear();
    void thread?.terminate();
  }
}

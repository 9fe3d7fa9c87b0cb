import { createRequire } from 'node:module';
import { type Logger, pino } from 'pino';
import type pretty from 'pino-pretty';
import { printableJson, printableTextsInJson } from '../common/printable.ts';
import { redacted } from '../common/redact.ts';
import type { Config } from '../config/config.ts';
import { LogDestination } from './log-destination.ts';

export type { Logger } from 'pino';

/**
 * Creates a logger that writes JSON lines to stdout, or human-readable ones with `LOG_PRETTY=1`.
 * Escapes characters that control terminals, and hides credentials in URLs.
 * @param name name of the process: `primary` or `worker 3`
 */
export function createLogger(config: Pick<Config, 'logLevel' | 'logPretty'>, name: string): Logger {
  const options = {
    level: config.logLevel,
    base: { pid: process.pid, name },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    hooks: {
      // pino-pretty parses a line and prints what it has parsed.
      streamWrite: config.logPretty
        ? (line: string) => printableTextsInJson(redacted(line))
        : (line: string) => printableJson(redacted(line)),
    },
  };
  if (!config.logPretty) return pino(options, new LogDestination());
  const require = createRequire(import.meta.url);
  return pino(options, (require('pino-pretty') as typeof pretty)({ sync: true }));
}

const REPEAT_MS = 10_000;

/**
 * Rate-limits lines that a client or a broker can cause at any rate: one per key every ten seconds,
 * with the number of those suppressed since.
 */
export class SampledLog {
  readonly #last = new Map<string, { atMs: number; held: number }>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Calls `write` with the number of lines suppressed since the last, or suppresses this one. */
  line(key: string, write: (held: number) => void): void {
    const nowMs = this.#now();
    const last = this.#last.get(key);
    if (last !== undefined && nowMs - last.atMs < REPEAT_MS) {
      last.held++;
      return;
    }
    this.#last.set(key, { atMs: nowMs, held: 0 });
    write(last?.held ?? 0);
  }
}

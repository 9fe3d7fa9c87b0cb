import type { Config } from '../config/config.ts';
import type { Logger } from '../logging/logger.ts';

export type Level = 'info' | 'warn' | 'error';

/**
 * The primary's log. Lines wait until the logger is loaded: it is loaded while the workers
 * start, not before, since it would delay them.
 */
export class PrimaryLog {
  #logger: Logger | undefined;
  #waiting: (readonly [Level, object, string])[] = [];

  async load(config: Config): Promise<void> {
    const { createLogger } = await import('../logging/logger.ts');
    this.#logger = createLogger(config, 'primary');
    for (const line of this.#waiting) this.write(...line);
    this.#waiting = [];
  }

  write(level: Level, fields: object, message: string): void {
    if (this.#logger === undefined) this.#waiting.push([level, fields, message]);
    else this.#logger[level](fields, message);
  }

  /** The line before the process ends at once: on stderr where the logger is not there yet. */
  last(fields: { readonly err: unknown }, message: string): void {
    if (this.#logger === undefined) console.error(message, fields.err);
    else this.#logger.fatal(fields, message);
  }
}

import type { Config } from '../config/config.ts';
import type { Logger } from '../logging/logger.ts';

export type Level = 'info' | 'warn' | 'error';

/**
 * The primary's log. Buffers lines until the logger is loaded, which happens while the workers
 * start: earlier, it would delay them.
 */
export class DeferredLog {
  #logger: Logger | undefined;
  #waiting: (readonly [Level, object, string])[] = [];
  readonly #name: string;

  /** @param name of the process in each line */
  constructor(name = 'primary') {
    this.#name = name;
  }

  async load(config: Config): Promise<void> {
    const { createLogger } = await import('../logging/logger.ts');
    this.#logger = createLogger(config, this.#name);
    for (const line of this.#waiting) this.write(...line);
    this.#waiting = [];
  }

  write(level: Level, fields: object, message: string): void {
    if (this.#logger === undefined) this.#waiting.push([level, fields, message]);
    else this.#logger[level](fields, message);
  }

  /** Writes the last line before the process exits: to stderr if the logger is not loaded yet. */
  last(fields: { readonly err: unknown }, message: string): void {
    if (this.#logger === undefined) console.error(message, fields.err);
    else this.#logger.fatal(fields, message);
  }
}

import type { Fault, FaultLevel } from '../ipc.ts';
import { SampledLog } from '../logging/logger.ts';

/**
 * Lines about faults, of Kafka above all. Each worker of an instance meets the same faults, so
 * workers hand them to the primary, which logs each one once (primary/fault-log.ts). Here repeats
 * are only kept from flooding the channel.
 */
export class Faults {
  readonly #tell: (fault: Fault) => void;
  readonly #sampled: SampledLog;

  constructor(tell: (fault: Fault) => void, now?: () => number) {
    this.#tell = tell;
    this.#sampled = new SampledLog(now);
  }

  info(key: string, fields: object, message: string): void {
    this.#report('info', key, fields, message);
  }

  warn(key: string, fields: object, message: string): void {
    this.#report('warn', key, fields, message);
  }

  error(key: string, fields: object, message: string): void {
    this.#report('error', key, fields, message);
  }

  /** Reports a fault that the primary logs a single time; callers report each one once. */
  warnOnce(key: string, fields: object, message: string): void {
    this.#tell({ level: 'warn', key: `${message} ${key}`, fields, message, held: 0, once: true });
  }

  /** @param key faults with the same message and key are the same fault */
  #report(level: FaultLevel, key: string, fields: object, message: string): void {
    const whole = `${message} ${key}`;
    this.#sampled.line(whole, (held) => this.#tell({ level, key: whole, fields, message, held }));
  }
}

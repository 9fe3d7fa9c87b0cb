import type { Fault, FaultLevel } from '../ipc.ts';
import { SampledLog } from '../logging/logger.ts';

/**
 * Fault messages, mostly about Kafka. All workers of an instance meet the same faults, so they send
 * them to the primary, which logs each one once (primary/fault-log.ts). Sampling here only keeps
 * repeats from flooding the channel.
 */
export class Faults {
  readonly #send: (fault: Fault) => void;
  readonly #sampled: SampledLog;

  constructor(send: (fault: Fault) => void, now?: () => number) {
    this.#send = send;
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

  /** Reports a fault that the primary logs once; callers report it once each. */
  warnOnce(key: string, fields: object, message: string): void {
    this.#send({ level: 'warn', key: `${message} ${key}`, fields, message, held: 0, once: true });
  }

  /** Reports a fact that the primary logs once. */
  infoOnce(key: string, fields: object, message: string): void {
    this.#send({ level: 'info', key: `${message} ${key}`, fields, message, held: 0, once: true });
  }

  /** @param key identifies the fault together with the message */
  #report(level: FaultLevel, key: string, fields: object, message: string): void {
    const whole = `${message} ${key}`;
    this.#sampled.line(whole, (held) => this.#send({ level, key: whole, fields, message, held }));
  }
}

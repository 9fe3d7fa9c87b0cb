import type { Printer } from './printer.ts';

/** Origin of the events that `listen` prints. */
export interface Source {
  /**
   * Passes events to the printer until `signal` is aborted; waits while they are unavailable.
   * @throws StartError if waiting is futile; AbortError if `signal` is aborted
   */
  follow(printer: Printer, signal: AbortSignal): Promise<void>;
}

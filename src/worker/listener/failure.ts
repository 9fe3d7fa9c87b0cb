import { AssertionError } from 'node:assert/strict';
import type { Logger } from '../../log.ts';
import type { HttpResponse } from './uws.ts';

/**
 * Logs what something of ours has thrown while it worked for one sender, whom it is to end and
 * nobody else: what a handler throws ends the worker, and who sends the same again would end the
 * next one. Only a state that is not what it has to be does so: it can be trusted no more.
 * @throws AssertionError, of such a state
 */
export function logFailure(log: Logger, err: unknown, message: string): void {
  log.error({ err }, message);
  if (err instanceof AssertionError) throw err;
}

/**
 * Ends a request that something of ours has failed on; it may have been answered before.
 * @throws AssertionError as {@link logFailure}
 */
export function abandon(response: HttpResponse, log: Logger, err: unknown): void {
  logFailure(log, err, 'a request failed');
  try {
    response.close();
  } catch {
    // It was.
  }
}

import { AssertionError } from 'node:assert/strict';
import type { Logger } from '../../logging/logger.ts';
import type { HttpResponse } from './uws.ts';

/**
 * For what something of ours has thrown while it worked for one sender: it ends that one and nobody
 * else, since who sends the same again would end the next worker. Only a state that is not what it
 * has to be ends the worker: it can be trusted no more.
 * @throws AssertionError, of such a state
 */
export function rethrowAssertion(error: unknown): void {
  if (error instanceof AssertionError) throw error;
}

/**
 * Ends a request that something of ours has failed on; it may have been answered before.
 * @throws AssertionError as {@link rethrowAssertion}
 */
export function closeAfterError(response: HttpResponse, log: Logger, err: unknown): void {
  log.error({ err }, 'internal error while processing a request');
  rethrowAssertion(err);
  try {
    response.close();
  } catch {
    // It was.
  }
}

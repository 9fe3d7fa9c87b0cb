import { AssertionError } from 'node:assert/strict';
import type { Logger } from '../../logging/logger.ts';
import type { HttpResponse } from './transport/transport.ts';

/**
 * Contains an internal error to the sender whose input caused it: the same input, sent again, would
 * also end the next worker. Only a broken invariant ends the worker, since its state is unreliable.
 * @throws AssertionError for a broken invariant
 */
export function rethrowAssertion(error: unknown): void {
  if (error instanceof AssertionError) throw error;
}

/**
 * Closes the connection of a request after an internal error; a response may have been sent.
 * @throws AssertionError as {@link rethrowAssertion}
 */
export function closeAfterError(response: HttpResponse, log: Logger, err: unknown): void {
  log.error({ err }, 'internal error while processing a request');
  rethrowAssertion(err);
  try {
    response.close();
  } catch {
    // Already closed.
  }
}

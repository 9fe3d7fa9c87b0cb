import { setTimeout as sleep } from 'node:timers/promises';
import { adminFailure } from '../../worker/producer/admin-failure.ts';
import { DOCTOR_LIMITS } from './limits.ts';

/**
 * Repeats a request of the admin client while its connection fails: the next attempt reads new
 * metadata, and another broker may stand for the controller.
 */
export async function withRetries<T>(request: () => Promise<T>): Promise<T> {
  for (let left = DOCTOR_LIMITS.adminAttempts - 1; ; left--) {
    try {
      return await request();
    } catch (error) {
      if (left === 0 || !adminFailure(error).isConnection) throw error;
      await sleep(DOCTOR_LIMITS.adminPauseMs);
    }
  }
}

/** Readiness of the instance for /readyz, derived from the status of its workers. */
import assert from 'node:assert/strict';
import { LIMITS } from '../config/limits.ts';
import type { Readiness, WorkerStatus } from '../ipc.ts';

export class ReadinessCheck {
  #buffering = false;

  /**
   * Returns the current readiness. Stateful: it remembers whether the buffer was above its
   * high-water mark, so that an instance at the mark does not flap in its load balancer with every
   * event.
   *
   * @param statuses one per slot; undefined if the worker has not reported yet or is dead
   */
  update(statuses: readonly (WorkerStatus | undefined)[], draining: boolean): Readiness {
    assert(statuses.length >= 1, 'at least one worker');
    const known = statuses.filter((status) => status !== undefined);
    const reasons = new Set<string>();
    if (draining) reasons.add('draining');
    if (known.length < statuses.length || !known.every((status) => status.listening)) {
      reasons.add('not all workers are listening');
    }
    for (const status of known) {
      if (!status.kafkaReached) {
        reasons.add(status.kafka || 'the topic is not known yet');
        if (status.topicCreation !== undefined) {
          reasons.add(`topic creation failed: ${status.topicCreation}`);
        }
      }
      if (status.refusedByPolicy) reasons.add('Kafka rejects writes: check its ACLs and policies');
      if (status.leaderlessPartitions > 0) {
        reasons.add(`a partition has had no leader for ${LIMITS.leaderlessMs / 1000} s`);
      }
    }
    const short = known.filter((status) => status.memoryShort).length;
    if (short > 0 && short >= statuses.length / 2) {
      reasons.add('at least half of the workers exceed the memory limit and reject connections');
    }
    this.#buffering = isBuffering(known, this.#buffering);
    if (this.#buffering) {
      const { stop, resume } = LIMITS.highWater;
      reasons.add(`the buffer reached ${stop * 100}% and has not fallen below ${resume * 100}%`);
    }
    return { ready: reasons.size === 0, reasons: [...reasons] };
  }
}

function isBuffering(statuses: readonly WorkerStatus[], before: boolean): boolean {
  let used = 0;
  let limit = 0;
  for (const status of statuses) {
    used += status.bufferedBytes;
    limit += status.bufferLimitBytes;
  }
  if (limit === 0) return false;
  return used / limit >= (before ? LIMITS.highWater.resume : LIMITS.highWater.stop);
}

export function sameReadiness(a: Readiness, b: Readiness): boolean {
  return a.ready === b.ready && a.reasons.join('\n') === b.reasons.join('\n');
}

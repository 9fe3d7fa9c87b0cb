/** The instance's answer to /readyz, made of what its workers say. */
import assert from 'node:assert/strict';
import { LIMITS } from '../config/limits.ts';
import type { Readiness, WorkerStatus } from '../ipc.ts';

export class ReadinessGate {
  #buffering = false;

  /**
   * The answer of now. It remembers whether the buffer was above its high-water mark, so that an
   * instance at the mark does not leave and join its balancer with every event.
   *
   * @param statuses one per slot; undefined where the worker has not spoken yet or is dead
   */
  update(statuses: readonly (WorkerStatus | undefined)[], draining: boolean): Readiness {
    assert(statuses.length >= 1, 'an instance has workers');
    const known = statuses.filter((status) => status !== undefined);
    const reasons = new Set<string>();
    if (draining) reasons.add('draining');
    if (known.length < statuses.length || !known.every((status) => status.listening)) {
      reasons.add('not every worker listens yet');
    }
    for (const status of known) {
      if (!status.kafkaReached) {
        reasons.add(status.kafka || 'the topic is not known yet');
        if (status.topicCreation !== undefined) {
          reasons.add(`topic creation failed: ${status.topicCreation}`);
        }
      }
      if (status.refusedByPolicy)
        reasons.add('Kafka refuses to write: see its rights and policies');
      if (status.leaderlessPartitions > 0) {
        reasons.add(`a partition has had no leader for ${LIMITS.leaderlessMs / 1000} s`);
      }
    }
    const short = known.filter((status) => status.memoryShort).length;
    if (short > 0 && short >= statuses.length / 2) {
      reasons.add('at least half of the workers are short of memory and take no newcomers');
    }
    this.#buffering = isBuffering(known, this.#buffering);
    if (this.#buffering) {
      reasons.add(`the buffer is not below ${LIMITS.highWater.resume * 100}% since it reached \
${LIMITS.highWater.stop * 100}%`);
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

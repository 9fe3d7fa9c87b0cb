import type { Partition } from '../accumulator/topic.ts';

/** Chooses which partitions share a request, so that each has its turn when not all can. */
export class Turn {
  /** The choice begins behind the partition that was chosen last. */
  #cursor = 0;

  /**
   * @param partitions those that may share a connection; their order stays the same from call to
   * call
   * @param maxBytes of their batches together; a larger one goes alone
   * @param ready whether a partition's lane has a head that may go out now
   */
  take(
    partitions: readonly Partition[],
    maxBytes: number,
    ready: (partition: Partition) => boolean,
  ): Partition[] {
    const chosen: Partition[] = [];
    const start = this.#cursor;
    let bytes = 0;
    for (let step = 0; step < partitions.length; step++) {
      const index = (start + step) % partitions.length;
      const partition = partitions[index]!;
      if (!ready(partition)) continue;
      const { lane } = partition;
      bytes += lane.head!.sentBytes;
      if (chosen.length > 0 && (bytes > maxBytes || lane.alone)) break;
      chosen.push(partition);
      this.#cursor = index + 1;
      if (lane.alone) break;
    }
    return chosen;
  }
}

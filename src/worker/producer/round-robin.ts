import type { Partition } from '../accumulator/topic.ts';

/** Chooses the partitions that share a request, round-robin when they do not all fit. */
export class RoundRobin {
  /** Index behind the partition that was chosen last. */
  #cursor = 0;

  /**
   * @param partitions partitions of one connection, in the same order in each call
   * @param maxBytes bound of their batches together; a larger batch is sent alone
   * @param ready whether a partition's lane has a head that may be sent now
   */
  choose(
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

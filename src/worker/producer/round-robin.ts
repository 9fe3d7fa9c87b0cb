import type { Lane } from './lane.ts';

/** Chooses which lanes share a request, so that each has its turn when not all can. */
export class Turn {
  /** The choice begins behind the lane that was chosen last. */
  #cursor = 0;

  /**
   * @param lanes those that may share a connection; their order stays the same from call to call
   * @param maxBytes of their batches together; a larger one goes alone
   * @param ready whether a lane has a head that may go out now
   */
  take(lanes: readonly Lane[], maxBytes: number, ready: (lane: Lane) => boolean): Lane[] {
    const chosen: Lane[] = [];
    const start = this.#cursor;
    let bytes = 0;
    for (let step = 0; step < lanes.length; step++) {
      const index = (start + step) % lanes.length;
      const lane = lanes[index]!;
      if (!ready(lane)) continue;
      bytes += lane.head!.sentBytes;
      if (chosen.length > 0 && (bytes > maxBytes || lane.alone)) break;
      chosen.push(lane);
      this.#cursor = index + 1;
      if (lane.alone) break;
    }
    return chosen;
  }
}

/**
 * Switch of a running worker to another version of the stream file:
 *
 *   new topics added ──▶ they are usable, or the wait is over ──▶ switch, between two frames
 *                                                                   │
 *        streams with another topic: its new batches wait for the former topic's (TopicMove)
 *        removed streams: `draining` until their events have a result, then `unknown_stream`
 *        topics without a stream: forgotten once nothing can write to them
 *
 * Frames and bodies that have begun keep the route, and thus the version, that they began with.
 */
import { LIMITS } from '../../config/limits.ts';
import type { StreamFile } from '../../streams/stream-file.ts';
import type { Budget } from '../accumulator/budget.ts';
import type { Partition, Topic } from '../accumulator/topic.ts';
import type { EventProducer } from '../producer/event-producer.ts';
import type { ActiveStreams } from './active-streams.ts';
import {
  assignTopics,
  createStreams,
  createTopics,
  type StreamReporting,
  type StreamSettings,
} from './create-streams.ts';
import type { Stream } from './stream.ts';
import type { StreamTable } from './stream-table.ts';
import { type PendingInput, TopicMove } from './topic-move.ts';

/** Parts of a worker that a reload changes. */
export interface ReloadParts {
  readonly streams: ActiveStreams;
  readonly budget: Budget;
  /** Topics of the producer. */
  readonly topics: readonly Topic[];
  readonly producer: Pick<EventProducer, 'addTopic' | 'removeTopic' | 'resume'>;
  readonly connections: PendingInput & {
    /** Applies the active streams from the next frame of each connection on. */
    applyStreams(): void;
  };
  readonly reporting: StreamReporting;
  readonly settings: StreamSettings;
  readonly eventTimeoutMs: number;
}

export class StreamReload {
  readonly #parts: ReloadParts;
  /** File of the latest call of {@link apply}. */
  #wanted: StreamFile | undefined;
  #moves: TopicMove[] = [];
  /** Time of the removal of each leaving stream. */
  readonly #removedAtMs = new Map<Stream, number>();
  /** Time since which no stream has a topic. */
  readonly #unusedSinceMs = new Map<Topic, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: ReloadParts) {
    this.#parts = parts;
  }

  /**
   * Prepares a version of the stream file and switches to it.
   * @returns false if a later call has replaced it
   * @throws StartError if a schema is not usable; nothing has changed then
   */
  async apply(file: StreamFile): Promise<boolean> {
    const previous = this.#wanted;
    this.#wanted = file;
    const { budget, topics, producer, settings, streams } = this.#parts;
    const declared = { streams: file.streams, areDeclared: true };
    const created = createTopics(declared, budget, settings.maxFrameBytes, topics);
    for (const topic of created) producer.addTopic(topic);
    // They are without a stream until the switch.
    this.#noteUnused(streams.table, performance.now());
    this.#schedule();
    const isNew = (topic: Topic) =>
      file.streams.some((spec) => spec.topic === topic.name && !spec.internal) &&
      !streams.table.streams.some((stream) => stream.topic === topic);
    const added = topics.filter(isNew);
    const creates = (topic: Topic) =>
      file.streams.some((spec) => spec.topic === topic.name && spec.create !== undefined);
    const endMs = performance.now() + LIMITS.newTopicWaitMs;
    const isReady = (topic: Topic) => isUsable(topic) || isAbsent(topic, creates(topic));
    while (!added.every(isReady) && performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, LIMITS.streamPollMs));
      if (this.#wanted !== file) return false;
    }
    try {
      this.#switch(file);
    } catch (error) {
      this.#wanted = previous;
      throw error;
    }
    return true;
  }

  /** The worker drains: batches that are held will be sent soon. */
  drain(): void {
    for (const move of this.#moves) move.limit();
  }

  #switch(file: StreamFile): void {
    const { streams, budget, topics, reporting, settings } = this.#parts;
    const before = streams.table;
    const declarations = { file, areDeclared: true };
    const table = createStreams(declarations, { budget, topics }, settings, reporting, before);
    const nowMs = performance.now();
    this.#noteRemoved(before, table, nowMs);
    assignTopics(file.streams, topics);
    this.#noteUnused(table, nowMs);
    this.#move(before, table);
    this.#use(table);
    this.#schedule();
  }

  #noteRemoved(before: StreamTable, table: StreamTable, nowMs: number): void {
    for (const { name } of table.streams) {
      for (const stream of this.#removedAtMs.keys()) {
        if (stream.name === name) this.#removedAtMs.delete(stream);
      }
    }
    for (const stream of before.streams) {
      if (table.find(stream.name) === undefined) this.#removedAtMs.set(stream, nowMs);
    }
  }

  #noteUnused({ streams, deadLetters }: StreamTable, nowMs: number): void {
    const users = [...streams, ...deadLetters.all.values()];
    for (const topic of this.#parts.topics) {
      if (users.some((user) => user.topic === topic)) this.#unusedSinceMs.delete(topic);
      else if (!this.#unusedSinceMs.has(topic)) this.#unusedSinceMs.set(topic, nowMs);
    }
  }

  #move(before: StreamTable, table: StreamTable): void {
    const { connections, eventTimeoutMs } = this.#parts;
    const formerOf = ({ name, topic }: Stream) => before.find(name)?.topic ?? topic;
    const moved = table.streams.filter((stream) => formerOf(stream) !== stream.topic);
    // Topics whose new events others wait for: a long hold could be one of a circle of them.
    const left = new Set([...this.#moves.map(({ from }) => from), ...moved.map(formerOf)]);
    for (const stream of moved) {
      const { topic } = stream;
      const from = formerOf(stream);
      const isUsedByOther = (other: Stream) => other.topic === topic && formerOf(other) !== from;
      const isShared = left.has(topic) || table.streams.some(isUsedByOther);
      this.#moves.push(new TopicMove(from, topic, connections, { isShared, eventTimeoutMs }));
    }
  }

  /** Activates a table together with the removed streams that still have events. */
  #use(table: StreamTable): void {
    const { streams, connections } = this.#parts;
    streams.table = table.withLeaving(new Set(this.#removedAtMs.keys()));
    connections.applyStreams();
  }

  #schedule(): void {
    const isDone =
      this.#moves.length === 0 && this.#removedAtMs.size === 0 && this.#unusedSinceMs.size === 0;
    if (isDone || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#check(performance.now());
      this.#schedule();
    }, LIMITS.streamPollMs);
    this.#timer.unref();
  }

  #check(nowMs: number): void {
    const { producer } = this.#parts;
    const moves = this.#moves.filter((move) => !move.tryEnd(nowMs));
    if (moves.length < this.#moves.length) producer.resume();
    this.#moves = moves;
    this.#endRemoved(nowMs);
    this.#forgetUnused(nowMs);
  }

  #endRemoved(nowMs: number): void {
    const { connections, eventTimeoutMs, streams } = this.#parts;
    let ended = 0;
    for (const [stream, sinceMs] of this.#removedAtMs) {
      const isPending = connections.decodesFramesUntil(sinceMs) || stream.topic.isAwaited(sinceMs);
      if (isPending && nowMs - sinceMs < eventTimeoutMs) continue;
      this.#removedAtMs.delete(stream);
      ended++;
    }
    if (ended > 0) this.#use(streams.table);
  }

  /** Bodies that began before may arrive for a while, so a topic stays for the event timeout. */
  #forgetUnused(nowMs: number): void {
    const { producer, eventTimeoutMs } = this.#parts;
    for (const [topic, sinceMs] of this.#unusedSinceMs) {
      if (this.#wanted?.streams.some((spec) => spec.topic === topic.name)) continue;
      const isHeld = this.#moves.some(({ from, to }) => from === topic || to === topic);
      if (isHeld || nowMs - sinceMs < eventTimeoutMs || topic.isAwaited()) continue;
      this.#unusedSinceMs.delete(topic);
      producer.removeTopic(topic);
    }
  }
}

/** Every partition can be sent events. */
function isUsable({ partitions }: Topic): boolean {
  return (
    partitions.length > 0 &&
    partitions.every(({ lane, leader }: Partition) => leader?.connected && !lane.needsProducerId)
  );
}

/** No wait helps: the topic does not exist and is not created, or Kafka refuses access to it. */
function isAbsent({ state }: Topic, isCreated: boolean): boolean {
  return state === 'rejected' || (state === 'missing' && !isCreated);
}

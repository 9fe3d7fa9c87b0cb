/** One run of a replay, from the snapshot of offsets to the last confirmation. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kafka, KafkaMessage } from 'kafkajs';
import { EXIT, StartError } from '../../common/errors.ts';
import { StateLock } from '../../common/state-lock.ts';
import type { Config } from '../../config/config.ts';
import { type DeadLetter, deadLetterIn } from '../../kafka/dead-letter.ts';
import type { Logger } from '../../logging/logger.ts';
import type { StreamFile, StreamSpec } from '../../streams/stream-file.ts';
import { counted } from '../listen/format.ts';
import { fetchBounds } from '../listen/positions.ts';
import { RangeReader } from '../listen/range-reader.ts';
import type { Heartbeat } from '../listen/reader.ts';
import type { ProgressState } from '../progress.ts';
import type { ReplayOptions } from './arguments.ts';
import { Checker } from './checker.ts';
import { Classifier } from './classifier.ts';
import { ReplayLanes } from './lanes.ts';
import { REPLAY_LIMITS } from './limits.ts';
import { routesTo, streamsForReplay } from './replay-stages.ts';
import { Replayer } from './replayer.ts';
import { ReplayReport, type StateFacts } from './report.ts';
import { selectedRange } from './selection.ts';
import { hasStartedAgain, removedOpen, sourceTopic, whenAvailable } from './source-topic.ts';
import {
  demandSource,
  loadState,
  type ReplayedOffsets,
  recreated,
  type SourceTopic,
  StateFile,
} from './state-file.ts';

export interface ReplayRunOptions {
  readonly options: ReplayOptions;
  readonly config: Config;
  readonly file: StreamFile;
  /** Stream of the dead letters, and the stream that is replayed to. */
  readonly source: StreamSpec;
  readonly target: StreamSpec;
  readonly kafka: Kafka;
  /** Log of the stages. */
  readonly log: Logger;
  readonly say: (line: string) => void;
  /** Ends the run after the dead letters that are begun. */
  readonly signal: AbortSignal;
  readonly statePath: (topic: SourceTopic) => string;
}

const READY_POLL_MS = 20;

export class ReplayRun {
  readonly report = new ReplayReport();
  readonly #options: ReplayRunOptions;
  readonly #lanes: ReplayLanes;
  readonly #routes: ReturnType<typeof routesTo>;
  /** Undefined in a dry run. */
  #replayer: Replayer | undefined;
  #classifier!: Classifier;
  #stateFacts: StateFacts | undefined;
  #reader: RangeReader | undefined;
  /** Next offset by partition. */
  readonly #next = new Map<number, bigint>();

  /** @throws StartError if a schema is not usable */
  constructor(options: ReplayRunOptions) {
    this.#options = options;
    const { config, target, log, say } = options;
    const file = streamsForReplay(options.file, target.name);
    this.#lanes = new ReplayLanes({ config, file, topic: target.topic, log, say });
    this.#routes = routesTo(this.#lanes.table, target.name);
  }

  /** Dead letters are being read: there is something to report. */
  get hasBegun(): boolean {
    return this.#reader !== undefined;
  }

  /** Undefined before it is opened. */
  get state(): StateFacts | undefined {
    return this.#stateFacts;
  }

  get progress(): ProgressState {
    const { read, passing, replayed, failing } = this.report;
    const { position = 0, size = 0 } = this.#reader ?? {};
    const results = this.#replayer === undefined ? `${passing} pass` : `${replayed} replayed`;
    const text = `${counted(read, 'dead letter')}, ${results}, ${failing} rejected`;
    return { share: size === 0 ? 0 : position / size, text };
  }

  /**
   * Runs to the end.
   * @returns false if the signal has ended it before
   * @throws StartError (exit code 1)
   */
  async run(): Promise<boolean> {
    const { options, signal } = this.#options;
    try {
      const { config, kafka, source, log } = this.#options;
      const topic = await this.#available(source.topic, () =>
        sourceTopic(kafka, config, source.topic, log),
      );
      const path = this.#options.statePath(topic);
      if (options.isDryRun) await this.#check(topic, path);
      else await this.#replay(topic, path);
    } catch (error) {
      if (!signal.aborted || error instanceof StartError) throw error;
    }
    return !signal.aborted;
  }

  /** A dry run: only reads the state file, which another run may be writing. */
  async #check(topic: SourceTopic, path: string): Promise<void> {
    const { source, offsets } = loadState(path);
    if (source !== undefined) demandSource(path, source, topic);
    this.#noteState({ path, isNew: source === undefined });
    await this.#read(path, offsets);
  }

  /** Without a state file, an earlier replay cannot be ruled out, and its events not be marked. */
  #noteState(facts: StateFacts): void {
    this.#stateFacts = facts;
    if (!facts.isNew) return;
    const { say } = this.#options;
    say(`no state file at ${facts.path} yet: assumes that nothing was replayed before`);
  }

  async #replay(topic: SourceTopic, path: string): Promise<void> {
    const lock = new StateLock(`${path}.lock`);
    let state: StateFile | undefined;
    try {
      state = await StateFile.open(path, topic);
      this.#noteState({ path, isNew: state.isNew });
      await this.#read(path, state.offsets, state);
    } finally {
      this.#lanes.stop();
      // After a failure: fewer dead letters are then in doubt.
      await state?.flush().catch(() => {});
      await state?.close();
      lock.release();
    }
  }

  /** Reads the selected offsets, and replays those that pass if there is a state to record it. */
  async #read(path: string, replayed: ReplayedOffsets, state?: StateFile): Promise<void> {
    const { options, config, kafka, source, target, say, signal } = this.#options;
    const { selection } = options;
    const bounds = await this.#available(source.topic, () =>
      fetchBounds(kafka, source.topic, 0, selection.sinceMs),
    );
    if (hasStartedAgain(replayed, bounds)) throw recreated(path, source.topic);
    const { range, removed } = selectedRange(source.topic, bounds, selection);
    this.report.removed = removed;
    this.#classifier = new Classifier({
      checker: new Checker(config),
      routes: this.#routes,
      stream: target.name,
      selection,
      report: this.report,
      done: replayed.done,
    });
    for (const [partition, first] of range.first) this.#next.set(partition, first);
    const lost = removedOpen(replayed, bounds);
    if (lost > 0) {
      const letters = counted(lost, 'dead letter');
      say(`${letters} that an earlier run may have stored: removed from ${source.topic} since`);
    }
    if (state !== undefined) await this.#startReplayer(state, range.first.size);
    // After an interruption, a reader may pass on records before its predecessor's are replayed.
    let taken: Promise<void> = Promise.resolve();
    this.#reader = new RangeReader({
      kafka,
      range,
      onRecords: (partition, records, heartbeat) => {
        taken = taken.then(() => this.#take(partition, records, heartbeat));
        return taken;
      },
      say,
      signal,
    });
    await this.#reader.read();
    await taken;
    for (const [partition, end] of range.end) this.#skipTo(partition, end);
    await this.#replayer?.drain();
  }

  async #startReplayer(state: StateFile, partitions: number): Promise<void> {
    const { options, config, target, kafka, signal } = this.#options;
    const { report } = this;
    await this.#available(target.topic, () => fetchBounds(kafka, target.topic));
    const replayer = new Replayer({
      state,
      lanes: this.#lanes,
      report,
      routes: this.#routes,
      ip: target.record.ip,
      window: Math.max(1, Math.floor(REPLAY_LIMITS.window / Math.max(1, partitions))),
      rate: options.rate,
      patienceMs: config.eventTimeoutMs,
      signal,
    });
    this.#replayer = replayer;
    const timeout = AbortSignal.timeout(config.eventTimeoutMs);
    try {
      const either = AbortSignal.any([signal, timeout]);
      await this.#lanes.start(replayer, either);
      while (!this.#lanes.isReady) await sleep(READY_POLL_MS, undefined, { signal: either });
    } catch (error) {
      if (signal.aborted || !timeout.aborted) throw error;
      throw new StartError(`replay: topic ${target.topic} is not available`, EXIT.failed);
    }
  }

  async #take(
    partition: number,
    records: readonly KafkaMessage[],
    heartbeat: Heartbeat,
  ): Promise<void> {
    if (this.#options.signal.aborted) return;
    const passing: DeadLetter[] = [];
    for (const record of records) {
      this.#skipTo(partition, BigInt(record.offset));
      this.#next.set(partition, BigInt(record.offset) + 1n);
      this.report.read++;
      const letter = deadLetterIn(record);
      if (this.#classifier.passes(partition, letter)) passing.push(letter);
    }
    await this.#replayer?.send(partition, passing, heartbeat);
  }

  /** Counts records that were removed while they were to be read. */
  #skipTo(partition: number, offset: bigint): void {
    if (this.#options.signal.aborted) return;
    this.report.removed += Number(offset - (this.#next.get(partition) ?? offset));
  }

  #available<T>(topic: string, request: () => Promise<T>): Promise<T> {
    const { say, signal, config } = this.#options;
    return whenAvailable(request, { topic, say, signal, patienceMs: config.eventTimeoutMs });
  }
}

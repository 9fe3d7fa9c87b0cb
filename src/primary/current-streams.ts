import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { KeyEntry } from '../api-keys/format.ts';
import { signature } from '../api-keys/watched-file.ts';
import { LIMITS } from '../config/limits.ts';
import type { ToWorker } from '../ipc.ts';
import type { SchemaRegistry } from '../schema-registry/registry.ts';
import { describeStreams, type StreamsDescription } from '../streams/description.ts';
import type { LoadedStreamFile } from '../streams/parse.ts';
import type { SchemaName, StreamFile, StreamSpec } from '../streams/stream-file.ts';
import type { DeferredLog } from './deferred-log.ts';
import { RegistrySchemas } from './registry-schemas.ts';
import type { SlotAssignment } from './slot-assignment.ts';
import type { StreamMetrics } from './stream-metrics.ts';
import { TopicRoles } from './topic-roles.ts';

type StreamsMessage = ToWorker & { readonly type: 'streams' };

export interface CurrentStreamsOptions {
  /** Content at the start; undefined = there is no stream file. */
  readonly file: StreamFile | undefined;
  /** Path of the stream file. */
  readonly path: string | undefined;
  /** API keys in use, whose streams have to exist; undefined = there are none. */
  readonly keys: () => readonly KeyEntry[] | undefined;
  /** Loads the file, and whatever it depends on. @throws StartError if it is unusable */
  readonly load: (keys: readonly KeyEntry[] | undefined) => Promise<LoadedStreamFile | undefined>;
  /** Has the schemas that streams do not read from files; undefined = there is no registry. */
  readonly registry?: SchemaRegistry | undefined;
  readonly log: DeferredLog;
  /** Assigns slots of the metrics to the streams. */
  readonly slots: SlotAssignment;
  readonly metrics: StreamMetrics;
  /** Sends a version to all workers. @returns the workers */
  readonly broadcast: (message: StreamsMessage) => readonly number[];
  /** Called with topics that the previous version does not have, after the broadcast. */
  readonly topicsAdded: (topics: readonly string[]) => void;
}

/**
 * The streams of the stream file, as all workers receive them; none without such a file. Checks the
 * file and its schemas for changes. Invalid ones leave the streams unchanged.
 */
export class CurrentStreams {
  readonly metrics: StreamMetrics;
  /** Schemas of the registry. */
  readonly registered: RegistrySchemas;
  readonly #options: CurrentStreamsOptions;
  #file: StreamFile | undefined;
  #version = 1;
  /** Signatures of the files at the last load, and its result. */
  #seen: readonly (string | undefined)[] = [];
  #seenKeys: readonly KeyEntry[] | undefined;
  #loadedAtMs = 0;
  #failure: string | undefined;
  /** Workers that have not confirmed the version. */
  #waiting = new Set<number>();
  #changedAtMs = 0;
  readonly #roles = new TopicRoles();
  #timer: NodeJS.Timeout | undefined;
  #isChecking = false;

  constructor(options: CurrentStreamsOptions) {
    this.#options = options;
    this.#file = options.file;
    if (options.file !== undefined) this.#roles.add(options.file);
    this.metrics = options.metrics;
    this.registered = new RegistrySchemas(options.registry, options.log, this);
  }

  /** Message that a worker waits for at its start; undefined without a stream file. */
  get message(): StreamsMessage | undefined {
    return this.#file && this.#messageOf(this.#file);
  }

  #messageOf(file: StreamFile): StreamsMessage {
    const { current: slots } = this.#options.slots;
    return { type: 'streams', version: this.#version, file, slots };
  }

  /** Names of the streams; undefined without a stream file. */
  get names(): readonly string[] | undefined {
    return this.#file?.streams.map(({ name }) => name);
  }

  /** Schemas of the registry by stream. */
  get schemaNames(): (readonly [stream: string, schema: SchemaName])[] {
    return (this.#file?.streams ?? []).flatMap(({ name, schema }) =>
      schema?.registered === undefined ? [] : [[name, schema.registered] as const],
    );
  }

  /** Content of GET /streams; undefined without a stream file. */
  get description(): StreamsDescription | undefined {
    return this.#file && describeStreams(this.#file, this.#version);
  }

  /** Starts checking for changes. */
  start(): void {
    if (this.#file === undefined) return;
    this.#timer = setInterval(() => void this.#check(), LIMITS.filesPollMs);
    this.registered.start();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.registered.stop();
  }

  logWarnings(streams: LoadedStreamFile | undefined): void {
    for (const problem of streams?.warnings ?? []) {
      this.#options.log.write('warn', { problem }, 'warning about the stream file');
    }
  }

  /** Looks at the files now, for the workers of a rolling restart. */
  async reread(): Promise<void> {
    this.#seen = [];
    if (this.#file !== undefined) await this.#check();
  }

  /** A worker uses a version, or failed to. */
  applied(worker: number, version: number, failure: string | undefined): void {
    const { log } = this.#options;
    if (failure !== undefined) {
      const fields = { version, reason: failure };
      log.write('error', fields, 'worker keeps the previous streams');
    } else if (version === this.#version) this.gone(worker);
  }

  /** A worker has exited or uses the current version. */
  gone(worker: number): void {
    if (this.#waiting.delete(worker)) this.#logIfApplied();
  }

  #logIfApplied(): void {
    if (this.#waiting.size > 0) return;
    const ms = Math.round(performance.now() - this.#changedAtMs);
    this.#options.log.write('info', { version: this.#version, ms }, 'streams reloaded');
  }

  async #check(): Promise<void> {
    if (this.#isChecking) return;
    this.#isChecking = true;
    try {
      const seen = await this.#signatures();
      const keys = this.#options.keys();
      const isSettled =
        keys === this.#seenKeys &&
        seen.length === this.#seen.length &&
        seen.every((each, index) => each !== undefined && each === this.#seen[index]);
      // A failure may also end by a change of a file that only the failed version names.
      const isFailed = this.#failure !== undefined;
      const isRetried =
        isFailed && performance.now() - this.#loadedAtMs >= LIMITS.failedFilesPollMs;
      if (isSettled && !isRetried) return;
      this.#loadedAtMs = performance.now();
      this.#seen = seen;
      this.#seenKeys = keys;
      const loaded = await this.#options.load(keys);
      if (loaded !== undefined) this.#loaded(loaded);
    } catch (error) {
      this.#failed(error as Error);
    } finally {
      this.#isChecking = false;
    }
  }

  /** Signatures of the stream file and of its schemas; undefined = not settled, or unreadable. */
  #signatures(): Promise<(string | undefined)[]> {
    const schemas = (this.#file?.streams ?? []).flatMap(({ schema }) => schema ?? []);
    const paths = new Set([this.#options.path ?? '']);
    for (const { file, registered, candidate } of schemas) {
      if (registered === undefined) paths.add(file);
      if (candidate !== undefined) paths.add(candidate.file);
    }
    const signatureOf = (path: string) =>
      stat(path).then(
        (stats: Stats) => signature(stats),
        () => undefined,
      );
    return Promise.all([...paths].map(signatureOf));
  }

  #failed({ message: reason }: Error): void {
    if (reason === this.#failure) return;
    this.#failure = reason;
    this.metrics.rejected();
    const message = 'stream file reload failed, keeping the previous streams';
    this.#options.log.write('error', { reason }, message);
  }

  #loaded(loaded: LoadedStreamFile): void {
    const before = this.#file;
    if (before === undefined || JSON.stringify(before) === JSON.stringify(loaded.file)) {
      this.#failure = undefined;
      return;
    }
    this.#roles.check(loaded.file);
    const { log, broadcast, topicsAdded, slots } = this.#options;
    slots.assignStreams(loaded.file.streams.map(({ name }) => name));
    this.#roles.add(loaded.file);
    this.#failure = undefined;
    this.#file = loaded.file;
    this.#version++;
    this.metrics.applied(this.#version, loaded.file);
    this.#changedAtMs = performance.now();
    this.logWarnings(loaded);
    const fields = { version: this.#version, ...changesOf(before, loaded.file) };
    log.write('info', fields, 'streams changed');
    this.#waiting = new Set(broadcast(this.#messageOf(loaded.file)));
    this.#logIfApplied();
    const topics = new Set(loaded.file.streams.map(({ topic }) => topic));
    for (const { topic } of before.streams) topics.delete(topic);
    topicsAdded([...topics]);
  }
}

/** Names of the streams that differ. */
function changesOf(before: StreamFile, after: StreamFile) {
  const find = (file: StreamFile, name: string) =>
    file.streams.find((stream) => stream.name === name);
  const isChanged = (stream: StreamSpec) => {
    const previous = find(before, stream.name);
    return previous !== undefined && JSON.stringify(previous) !== JSON.stringify(stream);
  };
  const namesOf = (streams: readonly StreamSpec[]) => streams.map(({ name }) => name);
  return {
    added: namesOf(after.streams.filter(({ name }) => !find(before, name))),
    removed: namesOf(before.streams.filter(({ name }) => !find(after, name))),
    changed: namesOf(after.streams.filter(isChanged)),
  };
}

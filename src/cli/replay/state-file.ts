/**
 * State of replays: the dead letters that were replayed, so that none is replayed twice.
 * Invariant: a dead letter is recorded as begun, on disk, before its event may reach Kafka, and as
 * done only after Kafka has confirmed it. So one that is neither was never produced, and one that
 * is begun and not done may have been stored.
 *
 * The file is only appended to. The first line names the topic. Each further line is an object with
 * sets of offsets by partition; `done` and `failed` (rejected by Kafka, hence not stored) apply
 * before `begun`. Each line begins with the CRC-32C of the rest. A last line without a line feed was
 * not written to its end, and nothing depends on it.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32c } from '@node-rs/crc32';
import { attempt, EXIT, StartError, systemReason } from '../../common/errors.ts';
import { isObject, type JsonObject } from '../../common/json-object.ts';
import { type OffsetSet, PartitionedOffsets } from './offset-set.ts';

/** Topic of the dead letters. */
export interface SourceTopic {
  /** Id of the Kafka cluster. */
  readonly cluster: string;
  readonly topic: string;
  /** Id of the topic, which a later topic of the same name does not have; null = unknown. */
  readonly topicId: string | null;
}

/** Changes of a line, in the order in which they apply. */
const CHANGES = ['done', 'failed', 'begun'] as const;
type Change = (typeof CHANGES)[number];
type Changes = Partial<Record<Change, PartitionedOffsets>>;

const FORMAT = { forebay: 'replay', version: 1 } as const;
const LINE = /^([0-9a-f]{8}) (.+)$/;
const MODE = 0o600;
/** A file is rewritten when it is opened if it has this factor of the needed bytes. */
const REWRITE_FACTOR = 4;
const REWRITE_BYTES_MIN = 65_536;

/** The dead letters of a state file. */
export class ReplayedOffsets {
  /** Confirmed by Kafka. */
  readonly done = new PartitionedOffsets();
  /** May have been stored. */
  readonly open = new PartitionedOffsets();

  apply({ done, failed, begun }: Changes): void {
    if (done !== undefined) {
      this.done.addAll(done);
      this.open.removeAll(done);
    }
    if (failed !== undefined) this.open.removeAll(failed);
    if (begun !== undefined) this.open.addAll(begun);
  }

  /** Last offset of a partition that it has seen; undefined = none. */
  lastOf(partition: number): number | undefined {
    const lasts = [this.done, this.open].flatMap((sets) => sets.of(partition).last ?? []);
    return lasts.length === 0 ? undefined : Math.max(...lasts);
  }

  get partitions(): number[] {
    return [...new Set([...this.done.partitions, ...this.open.partitions])];
  }
}

/** Content of a state file. */
export interface LoadedState {
  /** Undefined = there is no file yet, or an empty one. */
  readonly source: SourceTopic | undefined;
  readonly offsets: ReplayedOffsets;
  /** Bytes of valid lines. */
  readonly bytes: number;
}

/** Lines that a file has from the moment at which it gets its name: they are complete. */
const CREATED_LINES = 2;

/**
 * Reads a state file without changing it. Ignores a last line that is not valid: the system has
 * failed before it was on disk, and so before the dead letters that it begins were produced.
 * @throws StartError (exit code 1) if it is corrupt or unreadable
 */
export function loadState(path: string): LoadedState {
  const offsets = new ReplayedOffsets();
  const bytes = readBytes(path);
  const end = bytes.lastIndexOf('\n') + 1;
  if (bytes.length === 0) return { source: undefined, offsets, bytes: 0 };
  const [first = '', ...lines] = bytes.toString('latin1', 0, Math.max(0, end - 1)).split('\n');
  const source = sourceIn(contentOf(first));
  if (source === undefined) throw corrupt(path, 1);
  if (lines.length === 0) throw corrupt(path, CREATED_LINES);
  let length = end;
  for (const [index, line] of lines.entries()) {
    const changes = changesIn(contentOf(line));
    const number = index + 2;
    if (changes !== undefined) offsets.apply(changes);
    else if (index < lines.length - 1 || number <= CREATED_LINES) throw corrupt(path, number);
    else length -= line.length + 1;
  }
  return { source, offsets, bytes: length };
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw failed(`cannot read the state file ${path}: ${systemReason(error)}`);
  }
}

/** Returns the object of a line; undefined if the line is corrupt. */
function contentOf(line: string): JsonObject | undefined {
  const [, sum, json = ''] = LINE.exec(line) ?? [];
  if (sum === undefined || sum !== checksum(json)) return undefined;
  const value: unknown = attempt(() => JSON.parse(json));
  return isObject(value) ? value : undefined;
}

function sourceIn(content: JsonObject | undefined): SourceTopic | undefined {
  const { forebay, version, cluster, topic, topicId } = content ?? {};
  if (forebay !== FORMAT.forebay || version !== FORMAT.version) return undefined;
  if (typeof cluster !== 'string' || typeof topic !== 'string') return undefined;
  if (topicId !== null && typeof topicId !== 'string') return undefined;
  return { cluster, topic, topicId };
}

function changesIn(content: JsonObject | undefined): Changes | undefined {
  if (content === undefined) return undefined;
  const changes: Changes = {};
  for (const name of CHANGES) {
    if (!Object.hasOwn(content, name)) continue;
    const offsets = PartitionedOffsets.parse(content[name]);
    if (offsets === undefined) return undefined;
    changes[name] = offsets;
  }
  return changes;
}

function lineOf(content: object): string {
  const json = JSON.stringify(content);
  return `${checksum(json)} ${json}\n`;
}

function checksum(json: string): string {
  return crc32c(json).toString(16).padStart(8, '0');
}

/** A state file that this process writes. The caller holds its lock. */
export class StateFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly offsets: ReplayedOffsets;
  /** There was no file before. */
  readonly isNew: boolean;
  #bytes: number;
  /** Results that are not in the file yet. */
  #results: Changes = {};
  /** The last write, which the next one follows. */
  #written: Promise<void> = Promise.resolve();

  private constructor(path: string, handle: FileHandle, { source, offsets, bytes }: LoadedState) {
    this.#path = path;
    this.#handle = handle;
    this.offsets = offsets;
    this.isNew = source === undefined;
    this.#bytes = bytes;
  }

  /**
   * Opens the file, creates it in its folder, or rewrites it where it has grown.
   * @throws StartError (exit code 1) if it belongs to another topic, is corrupt or unusable
   */
  static async open(path: string, source: SourceTopic): Promise<StateFile> {
    const { source: found, offsets, bytes } = loadState(path);
    if (found !== undefined) demandSource(path, found, source);
    const whole =
      lineOf({ ...FORMAT, ...source }) +
      lineOf({ done: offsets.done.toJSON(), begun: offsets.open.toJSON() });
    const isLong = bytes > Math.max(REWRITE_BYTES_MIN, REWRITE_FACTOR * whole.length);
    try {
      if (found === undefined || isLong) await replaceFile(path, whole);
      const handle = await open(path, 'a+');
      const length = found === undefined || isLong ? whole.length : bytes;
      // Removes a last line that was not written to its end.
      await handle.truncate(length);
      await handle.sync();
      return new StateFile(path, handle, { source: found, offsets, bytes: length });
    } catch (error) {
      throw failed(`cannot write the state file ${path}: ${systemReason(error)}`);
    }
  }

  /** Number of results that {@link begin} or {@link flush} will write. */
  get unwritten(): number {
    return (this.#results.done?.size ?? 0) + (this.#results.failed?.size ?? 0);
  }

  /** Records the result of a dead letter that was begun; the next write contains it. */
  settle(partition: number, offset: number, result: 'done' | 'failed'): void {
    this.#results[result] ??= new PartitionedOffsets();
    this.#results[result].of(partition).add(offset);
  }

  /**
   * Records dead letters as begun, and the results so far. Their events may be produced once the
   * promise is fulfilled: the line is on disk then.
   * @throws StartError (exit code 1) if it cannot be written, or another process writes to the file
   */
  begin(partition: number, offsets: OffsetSet): Promise<void> {
    const begun = new PartitionedOffsets();
    for (const [first, last] of offsets.ranges) begun.of(partition).add(first, last);
    return this.#write({ begun });
  }

  /** Writes the results so far; throws as {@link begin}. */
  async flush(): Promise<void> {
    if (this.unwritten > 0) await this.#write({});
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  #write(more: Changes): Promise<void> {
    const changes = { ...this.#results, ...more };
    this.#results = {};
    const written = this.#written.then(() => this.#append(lineOf(changes)));
    // A failure reaches each later write as well.
    this.#written = written;
    written.catch(() => {});
    this.offsets.apply(changes);
    return written;
  }

  async #append(line: string): Promise<void> {
    try {
      await this.#demandLength();
      const bytes = Buffer.from(line, 'latin1');
      for (let at = 0; at < bytes.length; ) {
        at += (await this.#handle.write(bytes, at)).bytesWritten;
      }
      this.#bytes += bytes.length;
      await this.#handle.datasync();
      await this.#demandLength();
    } catch (error) {
      if (error instanceof StartError) throw error;
      throw failed(`cannot write the state file ${this.#path}: ${systemReason(error)}`);
    }
  }

  /** Detects another writer, where the lock has failed to keep it out. */
  async #demandLength(): Promise<void> {
    const { size, nlink } = await this.#handle.stat();
    if (size === this.#bytes && nlink > 0) return;
    throw failed(`another process has changed the state file ${this.#path}`);
  }
}

/** Writes a file so that it is complete after a crash, or was not changed. */
async function replaceFile(path: string, content: string): Promise<void> {
  const folder = dirname(path);
  const temporary = `${path}.new`;
  const handle = await open(temporary, 'w', MODE);
  try {
    await handle.writeFile(content, 'latin1');
    await handle.sync();
  } finally {
    await handle.close();
  }
  renameSync(temporary, path);
  // Windows cannot open folders, and needs no sync of them.
  if (process.platform === 'win32') return;
  const directory = openSync(folder, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/**
 * Demands that a state file belongs to this topic: offsets of another one name other dead letters.
 * @throws StartError (exit code 1)
 */
export function demandSource(path: string, found: SourceTopic, source: SourceTopic): void {
  const { cluster, topic, topicId } = found;
  if (topic !== source.topic) throw failed(`the state file ${path} is that of topic ${topic}`);
  if (cluster !== source.cluster) {
    throw failed(`the state file ${path} is that of another Kafka cluster, ${cluster}`);
  }
  if (topicId !== null && source.topicId !== null && topicId !== source.topicId) {
    throw recreated(path, topic);
  }
}

/** Error for a topic whose offsets have started again since the file was written. */
export function recreated(path: string, topic: string): StartError {
  return failed(
    `topic ${topic} was deleted and created again after the state file ${path} was written: ` +
      'its offsets belong to other dead letters. Remove the file, or name another with --state',
  );
}

function corrupt(path: string, line: number): StartError {
  return failed(
    `the state file ${path} is corrupt in line ${line}: restore it from a backup. Without it, ` +
      'dead letters that were replayed are replayed again, without fb-resent',
  );
}

function failed(message: string): StartError {
  return new StartError(`replay: ${message}`, EXIT.failed);
}

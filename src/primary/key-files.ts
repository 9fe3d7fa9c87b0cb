/**
 * Files of API keys and JWKS. The primary reads them for all workers, so that each has the same
 * keys, and one that starts while a file is invalid has the last valid ones.
 */

import { type KeyEntry, type KeySet, parseKeySet, parseKeys } from '../api-keys/format.ts';
import { WatchedFile } from '../api-keys/watched-file.ts';
import { attemptAll } from '../common/errors.ts';
import type { Config } from '../config/config.ts';
import { LIMITS } from '../config/limits.ts';
import type { ToWorker } from '../ipc.ts';
import type { DeferredLog } from './deferred-log.ts';
import { SlotAssignment } from './slot-assignment.ts';

type Settings = Pick<Config, 'keysFile' | 'jwtJwksFile' | 'streamsFile'>;

/** Maximum names of keys in a warning. */
const NAMES_MAX = 10;
type KeysMessage = ToWorker & { readonly type: 'keys' };

export class KeyFiles {
  readonly #log: DeferredLog;
  readonly #keys: WatchedFile<readonly KeyEntry[]> | undefined;
  readonly #keySet: WatchedFile<KeySet> | undefined;
  readonly #broadcast: (message: KeysMessage) => void;
  readonly #slots: SlotAssignment;
  readonly #hasStreams: boolean;
  #timer: NodeJS.Timeout | undefined;

  /**
   * Reads the files.
   * @param broadcast receives the keys when they have changed
   * @param slots assigns slots of the metrics to their names
   * @throws StartError if one is unreadable (exit code 1) or invalid (exit code 2)
   */
  constructor(
    settings: Settings,
    log: DeferredLog,
    broadcast: (message: KeysMessage) => void,
    slots = new SlotAssignment(),
  ) {
    this.#log = log;
    this.#slots = slots;
    this.#broadcast = broadcast;
    const { keysFile, jwtJwksFile, streamsFile } = settings;
    this.#hasStreams = streamsFile !== undefined;
    [this.#keys, this.#keySet] = attemptAll(
      () => this.#watch<readonly KeyEntry[]>('FOREBAY_KEYS_FILE', keysFile, parseKeys),
      () => this.#watch('FOREBAY_JWT_JWKS_FILE', jwtJwksFile, parseKeySet),
    );
    this.#assignSlots();
  }

  /** Keys that a worker needs before it can authenticate clients; undefined = no files are set. */
  get message(): KeysMessage | undefined {
    const [keys, keySet] = [this.#keys?.value, this.#keySet?.value];
    if (keys === undefined && keySet === undefined) return undefined;
    return { type: 'keys', keys, keySet, slots: this.#slots.current };
  }

  #assignSlots(): void {
    this.#slots.assignKeys(this.#keys?.value.map(({ name }) => name) ?? []);
  }

  /** Warnings about usable files, a line each. */
  get warnings(): readonly string[] {
    const keys = this.#namesWithStreams();
    if (keys.length === 0) return [];
    const names = keys.slice(0, NAMES_MAX).join(', ');
    const more = keys.length > NAMES_MAX ? ` and ${keys.length - NAMES_MAX} more` : '';
    return [
      `FOREBAY_KEYS_FILE: without FOREBAY_STREAMS_FILE, streams of ${names}${more} have no effect`,
    ];
  }

  /** Starts polling for changes. */
  start(): void {
    if (this.message === undefined) return;
    this.#logWarnings();
    this.#timer = setInterval(() => {
      void this.#keys?.check();
      void this.#keySet?.check();
    }, LIMITS.filesPollMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Names of API keys with streams, if there are no streams. */
  #namesWithStreams(): string[] {
    if (this.#hasStreams) return [];
    const limited = this.#keys?.value.filter(({ streams }) => streams !== undefined);
    return limited?.map(({ name }) => name) ?? [];
  }

  #logWarnings(): void {
    const keys = this.#namesWithStreams();
    if (keys.length === 0) return;
    const fields = { keys: keys.slice(0, NAMES_MAX), count: keys.length };
    this.#log.write('warn', fields, 'streams of API keys have no effect without a stream file');
  }

  #watch<T>(
    env: string,
    path: string | undefined,
    parse: (text: string) => T,
  ): WatchedFile<T> | undefined {
    if (path === undefined) return undefined;
    return new WatchedFile({
      env,
      path,
      parse,
      changed: () => {
        this.#log.write('info', { setting: env }, 'key file reloaded');
        this.#assignSlots();
        this.#logWarnings();
        if (this.message !== undefined) this.#broadcast(this.message);
      },
      broken: (reason) => {
        const fields = { setting: env, reason: `the file ${reason}` };
        this.#log.write('error', fields, 'key file reload failed, keeping the previous keys');
      },
    });
  }
}

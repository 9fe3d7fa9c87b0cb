/**
 * Schemas of a registry as the streams use them: the last good version of each, from the registry
 * or from its copy on disk, and its replacement by a later one.
 *
 *   provide() ──▶ registry responds ──▶ usable ──▶ in use ◀──────────────┐
 *                   │ no                  │ no                            │ changed, usable
 *                   └──▶ copy on disk ────┴──▶ in use ──▶ poll(), with backoff
 */
import { isDeepStrictEqual } from 'node:util';
import { type Backoff, backoffMs } from '../common/backoff.ts';
import { systemReason } from '../common/errors.ts';
import { schemaKey } from '../streams/schema-names.ts';
import type { SchemaName } from '../streams/stream-file.ts';
import { bundled } from './bundle.ts';
import {
  type RegistryClient,
  RegistryUnavailable,
  type SchemaReference,
  type SubjectVersion,
  UnusableVersion,
} from './client.ts';
import type { RegisteredSchema, SchemaCopies } from './copies.ts';
import { REGISTRY_LIMITS } from './limits.ts';

/** A schema that streams can use. */
export interface FoundSchema {
  readonly schema: RegisteredSchema;
  /** About the schema. */
  readonly warnings: readonly string[];
  /**
   * Reason why the copy on disk, or an earlier version, is used, continuing "the subject …";
   * undefined = it is current.
   */
  readonly note: string | undefined;
}

/** Receives what happens after the start. */
export interface RegistryListener {
  /** A schema in use has another version. */
  changed(): void;
  /** A later version is not usable; the previous one stays in use. */
  rejected(name: SchemaName, reason: string): void;
  /** A request for a schema failed; called once per reason. */
  failed(name: SchemaName, reason: string): void;
  /** The registry has answered for a schema whose last request had failed. */
  recovered(name: SchemaName): void;
  /** The copy of a schema was not written; called once per reason. */
  notCopied(name: SchemaName, reason: string): void;
}

export interface SchemaRegistryOptions {
  readonly client: Pick<RegistryClient, 'read' | 'deadline' | 'address'>;
  readonly copies: Pick<SchemaCopies, 'read' | 'write' | 'confirm'>;
  /**
   * Checks a schema.
   * @returns warnings
   * @throws Error for an unusable one; its message, and the warnings, continue "the schema …"
   */
  readonly check: (text: string) => Promise<readonly string[]>;
  /** Intervals of requests; by default those of REGISTRY_LIMITS. */
  readonly times?: { readonly pollMs: number; readonly retryMs: Backoff };
}

interface Rejected {
  readonly content: string;
  readonly reason: string;
  readonly atMs: number;
}

/** State of one schema. */
interface Entry {
  readonly name: SchemaName;
  schema: RegisteredSchema | undefined;
  /** About {@link schema}. */
  warnings: readonly string[];
  etag: string | undefined;
  /** Last time the registry confirmed the version in use, ms since 1970. */
  confirmedAtMs: number;
  isCopied: boolean;
  /** Reason why the last request failed, or why its version is not usable. */
  problem: string | undefined;
  /** Whether {@link problem} is a failed request. */
  isUnavailable: boolean;
  /** Response that {@link schema} was read from; undefined = it is a copy. */
  content: string | undefined;
  /** Response with an unusable schema; it is checked again at times. */
  rejected: Rejected | undefined;
  copyProblem: string | undefined;
}

export class SchemaRegistry {
  readonly #options: SchemaRegistryOptions;
  readonly #entries = new Map<string, Entry>();
  #listener: RegistryListener | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Consecutive rounds with a failed request. */
  #failedRounds = 0;
  #failures = 0;

  constructor(options: SchemaRegistryOptions) {
    this.#options = options;
  }

  /** Failed requests since the start. */
  get failures(): number {
    return this.#failures;
  }

  /**
   * Reads the schemas that are not known yet: from the registry, otherwise from their copies.
   * Returns when each is known, or has a reason why it is not.
   */
  async provide(names: readonly SchemaName[]): Promise<void> {
    const missing = names.map((name) => this.#entryOf(name)).filter(({ schema }) => !schema);
    await Promise.all([...new Set(missing)].map((entry) => this.#load(entry)));
  }

  /** Forgets all other schemas: no stream uses them. */
  retain(names: readonly SchemaName[]): void {
    const kept = new Set(names.map(schemaKey));
    for (const key of this.#entries.keys()) if (!kept.has(key)) this.#entries.delete(key);
  }

  /**
   * Returns a schema that was provided.
   * @throws Error if it is not available; its message continues "the subject …"
   */
  find(name: SchemaName): FoundSchema {
    const entry = this.#entries.get(schemaKey(name));
    const problem = entry?.problem;
    if (entry?.schema === undefined) throw new Error(problem ?? 'is not loaded yet');
    const { schema, warnings } = entry;
    if (problem === undefined) return { schema, warnings, note: undefined };
    const since = new Date(entry.confirmedAtMs).toISOString();
    return {
      schema,
      warnings,
      note: `uses version ${schema.version}, confirmed ${since}: ${problem}`,
    };
  }

  /** Whether one of these schemas is missing only since the registry does not respond. */
  lacks(names: readonly SchemaName[]): boolean {
    const entries = names.map((name) => this.#entries.get(schemaKey(name)));
    return entries.some((entry) => entry?.schema === undefined && entry?.isUnavailable);
  }

  /** Seconds since the registry confirmed the version in use; undefined = the schema is unknown. */
  ageSeconds(name: SchemaName): number | undefined {
    const entry = this.#entries.get(schemaKey(name));
    if (entry?.schema === undefined) return undefined;
    return Math.max(0, Date.now() - entry.confirmedAtMs) / 1_000;
  }

  /** Starts polling, and writing copies. */
  start(listener: RegistryListener): void {
    this.#listener = listener;
    this.#schedule(0);
  }

  stop(): void {
    this.#listener = undefined;
    clearTimeout(this.#timer);
  }

  #entryOf(name: SchemaName): Entry {
    const key = schemaKey(name);
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const entry: Entry = {
      name,
      schema: undefined,
      warnings: [],
      etag: undefined,
      confirmedAtMs: 0,
      isCopied: false,
      problem: undefined,
      isUnavailable: false,
      content: undefined,
      rejected: undefined,
      copyProblem: undefined,
    };
    this.#entries.set(key, entry);
    return entry;
  }

  async #load(entry: Entry): Promise<void> {
    await this.#request(entry);
    if (entry.schema !== undefined) return;
    try {
      const copy = await this.#options.copies.read(entry.name);
      if (copy === undefined) return;
      entry.warnings = await this.#options.check(copy.schema.text);
      entry.schema = copy.schema;
      entry.confirmedAtMs = copy.confirmedAtMs;
      entry.isCopied = true;
    } catch (error) {
      entry.problem = `${entry.problem}; ${systemReason(error)}`;
    }
  }

  #schedule(delayMs: number): void {
    this.#timer = setTimeout(() => void this.#poll(), delayMs);
    this.#timer.unref();
  }

  async #poll(): Promise<void> {
    const entries = [...this.#entries.values()];
    const before = entries.map(({ schema }) => schema);
    await Promise.all(entries.map((entry) => this.#pollOne(entry)));
    const listener = this.#listener;
    if (listener === undefined) return;
    const isFailed = entries.some(({ isUnavailable }) => isUnavailable);
    this.#failedRounds = isFailed ? this.#failedRounds + 1 : 0;
    if (entries.some(({ schema }, index) => schema !== before[index])) listener.changed();
    const { pollMs, retryMs } = this.#options.times ?? REGISTRY_LIMITS;
    const { jitter } = REGISTRY_LIMITS;
    const delayMs = isFailed ? backoffMs(retryMs, this.#failedRounds) : pollMs;
    // Instances that started together do not ask together.
    this.#schedule(delayMs * (1 + jitter * (2 * Math.random() - 1)));
  }

  async #pollOne(entry: Entry): Promise<void> {
    const { problem } = entry;
    await this.#request(entry);
    const listener = this.#listener;
    if (listener === undefined) return;
    if (entry.problem === undefined) {
      if (problem !== undefined) listener.recovered(entry.name);
    } else if (entry.problem !== problem) {
      const report = entry.isUnavailable ? listener.failed : listener.rejected;
      report.call(listener, entry.name, entry.problem);
    }
    await this.#copy(entry);
  }

  /** Requests the current version, and uses it if it is usable. Never throws. */
  async #request(entry: Entry): Promise<void> {
    const { client } = this.#options;
    const { subject, requested } = entry.name;
    const signal = client.deadline();
    try {
      const found = await client.read(subject, requested, signal, entry.etag);
      if (found !== undefined) await this.#use(entry, found, signal);
      entry.problem = undefined;
      entry.isUnavailable = false;
      entry.confirmedAtMs = Date.now();
    } catch (error) {
      const isUnusable = error instanceof UnusableVersion;
      if (!isUnusable) this.#failures++;
      entry.problem = (error as Error).message;
      entry.isUnavailable = !isUnusable;
    }
  }

  /** @throws UnusableVersion or RegistryUnavailable, and keeps the previous version then */
  async #use(entry: Entry, found: SubjectVersion, signal: AbortSignal): Promise<void> {
    const { version, id, guid, etag } = found;
    const content = JSON.stringify([version, id, guid, found.schema, found.references]);
    const { name, schema, rejected } = entry;
    const isKnown = content === rejected?.content;
    if (isKnown && performance.now() - rejected.atMs < REGISTRY_LIMITS.recheckMs) {
      throw new UnusableVersion(rejected.reason);
    }
    if (content !== entry.content) {
      const text = await bundled(found, (reference) => this.#readReference(reference, signal));
      const next = { ...name, version, id, guid, text };
      if (!isDeepStrictEqual(schema, next)) {
        entry.warnings = await this.#check(entry, next, content);
        entry.schema = next;
        entry.isCopied = false;
      }
      entry.content = content;
    }
    entry.rejected = undefined;
    entry.etag = etag;
  }

  async #readReference(
    { name, subject, version }: SchemaReference,
    signal: AbortSignal,
  ): Promise<SubjectVersion> {
    try {
      const found = await this.#options.client.read(subject, version, signal);
      if (found !== undefined) return found;
      throw new RegistryUnavailable('the response has no content');
    } catch (error) {
      const { message } = error as Error;
      const text = `its reference ${name} (${subject}, version ${version}): ${message}`;
      throw error instanceof UnusableVersion
        ? new UnusableVersion(text)
        : new RegistryUnavailable(text);
    }
  }

  /** @returns warnings @throws UnusableVersion for an unusable schema */
  async #check(
    entry: Entry,
    { version, text }: RegisteredSchema,
    content: string,
  ): Promise<readonly string[]> {
    try {
      return await this.#options.check(text);
    } catch (error) {
      const reason = `version ${version} ${(error as Error).message}`;
      entry.rejected = { content, reason, atMs: performance.now() };
      throw new UnusableVersion(reason);
    }
  }

  async #copy(entry: Entry): Promise<void> {
    const { copies } = this.#options;
    const { schema, name } = entry;
    if (schema === undefined || entry.problem !== undefined) return;
    try {
      if (entry.isCopied) await copies.confirm(name, entry.confirmedAtMs);
      else await copies.write(schema);
      entry.isCopied = true;
      entry.copyProblem = undefined;
    } catch (error) {
      entry.isCopied = false;
      const reason = systemReason(error);
      if (reason !== entry.copyProblem) this.#listener?.notCopied(name, reason);
      entry.copyProblem = reason;
    }
  }
}

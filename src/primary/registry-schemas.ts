import type { RegistryListener, SchemaRegistry } from '../schema-registry/registry.ts';
import type { SchemaName } from '../streams/stream-file.ts';
import type { DeferredLog } from './deferred-log.ts';
import type { StreamMetrics } from './stream-metrics.ts';

/** Age of the schema of a stream. */
export interface SchemaAge {
  readonly stream: string;
  /** Since the registry confirmed that the version in use is the requested one. */
  readonly seconds: number;
}

/** The streams that use the schemas. */
export interface SchemaUser {
  /** Schemas of the registry by stream. */
  readonly schemaNames: readonly (readonly [stream: string, schema: SchemaName])[];
  readonly metrics: Pick<StreamMetrics, 'rejected'>;
  /** Loads the streams again. */
  reread(): Promise<void>;
}

/** Schemas of the registry in a primary: applies their changes, logs failures. */
export class RegistrySchemas implements RegistryListener {
  readonly #registry: SchemaRegistry | undefined;
  readonly #streams: SchemaUser;
  readonly #log: DeferredLog;

  /** @param registry undefined = there is none */
  constructor(registry: SchemaRegistry | undefined, log: DeferredLog, streams: SchemaUser) {
    this.#registry = registry;
    this.#streams = streams;
    this.#log = log;
  }

  /** Starts polling. */
  start(): void {
    this.#registry?.start(this);
  }

  stop(): void {
    this.#registry?.stop();
  }

  /** Failed requests since the start. */
  get failures(): number {
    return this.#registry?.failures ?? 0;
  }

  /** Of the streams with a schema of the registry. */
  get ages(): readonly SchemaAge[] {
    return this.#streams.schemaNames.flatMap(([stream, name]) => {
      const seconds = this.#registry?.ageSeconds(name);
      return seconds === undefined ? [] : [{ stream, seconds }];
    });
  }

  changed(): void {
    void this.#streams.reread();
  }

  rejected(name: SchemaName, reason: string): void {
    this.#streams.metrics.rejected();
    const message = 'schema of the registry rejected, keeping the previous version';
    this.#log.write('error', { ...name, reason }, message);
  }

  failed(name: SchemaName, reason: string): void {
    this.#log.write('warn', { ...name, reason }, 'schema registry request failed');
  }

  recovered(name: SchemaName): void {
    this.#log.write('info', { ...name }, 'schema registry is up to date again');
  }

  notCopied(name: SchemaName, reason: string): void {
    this.#log.write('warn', { ...name, reason }, 'copy of a schema not written');
  }
}

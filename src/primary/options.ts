import type { KeyEntry } from '../api-keys/format.ts';
import type { FileWarnings } from '../config/file-check.ts';
import type { SchemaRegistry } from '../schema-registry/registry.ts';
import type { LoadedStreamFile } from '../streams/parse.ts';
import type { AdminRoutes } from './admin.ts';
import type { CreateWorker } from './worker-process.ts';

/** Dependencies of a primary in addition to its settings. */
export interface PrimaryOptions {
  /** Script that the workers run. */
  readonly exec: string;
  readonly version: string;
  /** Library that serves the port for clients. */
  readonly transport: string;
  /** Warnings about the environment, for the log. */
  readonly warnings: readonly string[];
  /** Reads the files that settings name. @throws StartError if one is unusable */
  readonly checkFiles: () => Promise<FileWarnings>;
  /**
   * Reads the stream file; undefined = there is none.
   * @param keys API keys, whose streams have to exist
   * @throws StartError if it is unusable
   */
  readonly loadStreams: (
    keys: readonly KeyEntry[] | undefined,
  ) => Promise<LoadedStreamFile | undefined>;
  /** Schema registry; undefined = there is none. */
  readonly registry?: SchemaRegistry | undefined;
  /** Undefined = workers are processes of their own. */
  readonly singleProcess?: SingleProcess | undefined;
}

/** An instance whose only worker runs in the process of the primary. */
export interface SingleProcess {
  /** Name of the process in each log line. */
  readonly name: string;
  readonly createWorker: CreateWorker;
  /** Further paths of the admin port. */
  readonly routes: AdminRoutes;
}

/** The stream file as written; stream-file-schema.ts declares the same structure. */
import type { Framing, HeaderName, SchemaMode, TIME_UNITS, VersionName } from './stream-file.ts';

/** A stream file as written, once its structure is valid. */
export interface RawStreamFile {
  readonly version: 1;
  readonly routing?: { readonly field?: string; readonly unknown?: string };
  readonly defaults?: {
    readonly key?: RawKey;
    readonly headers?: readonly HeaderName[];
    readonly deadLetter?: string;
  };
  readonly streams: Readonly<Record<string, RawStream>>;
}

export type RawKey = 'none' | { readonly field: string } | { readonly fields: readonly string[] };

export type RawTime =
  | 'arrival'
  | {
      readonly field: string;
      readonly unit?: (typeof TIME_UNITS)[number];
      readonly pastMs?: number;
      readonly futureMs?: number;
    };

export type RawSchema = {
  readonly mode?: SchemaMode;
  readonly candidate?: string;
} & (
  | { readonly file: string; readonly subject?: never }
  | { readonly subject: string; readonly version?: VersionName; readonly framing?: Framing }
);

/** A stream as written. */
export interface RawStream {
  readonly topic: string;
  readonly match?: readonly string[];
  readonly create?: {
    readonly partitions?: number;
    readonly replication?: number;
    readonly config?: Readonly<Record<string, string | number | boolean>>;
  };
  readonly schema?: RawSchema;
  readonly key?: RawKey;
  readonly headers?: readonly HeaderName[];
  readonly idField?: string;
  readonly traceField?: string;
  readonly time?: RawTime;
  readonly ip?: 'truncated' | 'full';
  readonly value?: 'json' | 'as-sent';
  readonly limits?: {
    readonly eventBytes?: number;
    readonly eventsPerSecond?: number;
    readonly bufferShare?: number;
  };
  readonly origins?: readonly string[];
  readonly access?: 'keyed' | 'open';
  readonly plain?: 'accept' | 'refuse';
  readonly deadLetter?: string;
  readonly internal?: boolean;
  readonly owner?: string;
  readonly required?: boolean;
}

/** Copies of schemas on disk, for starts while the registry does not respond. */
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { isObject } from '../common/json-object.ts';
import type { RegisteredVersion, SchemaName } from '../streams/stream-file.ts';

/** A version of a subject, with its references in one text. */
export interface RegisteredSchema extends RegisteredVersion {
  /** JSON Schema. */
  readonly text: string;
}

/** A copy, and the time of the last response that confirmed it. */
export interface SchemaCopy {
  readonly schema: RegisteredSchema;
  /** ms since 1970 */
  readonly confirmedAtMs: number;
}

const FORMAT = 1;

/** A file per schema; its modification time is that of the last confirmation. */
export class SchemaCopies {
  readonly #folder: string;
  readonly #registry: string;

  /** @param registry address: schemas of another registry are not used */
  constructor(folder: string, registry: string) {
    this.#folder = folder;
    this.#registry = registry;
  }

  /** Returns the copy of a schema; undefined = there is none. @throws Error for a damaged one */
  async read(name: SchemaName): Promise<SchemaCopy | undefined> {
    const path = this.#pathOf(name);
    let text: string;
    let confirmedAtMs: number;
    try {
      confirmedAtMs = (await stat(path)).mtimeMs;
      text = await readFile(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    const schema = this.#schemaIn(text, name);
    if (schema === undefined) throw new Error(`the copy ${path} is damaged`);
    return { schema, confirmedAtMs };
  }

  #schemaIn(text: string, name: SchemaName): RegisteredSchema | undefined {
    let content: unknown;
    try {
      content = JSON.parse(text);
    } catch {
      return undefined;
    }
    if (!isObject(content)) return undefined;
    const { format, registry, subject, requested, version, id, guid, schema, sha256 } = content;
    const isOfName =
      format === FORMAT &&
      registry === this.#registry &&
      subject === name.subject &&
      requested === name.requested;
    if (!isOfName || typeof schema !== 'string' || sha256 !== digest(schema)) return undefined;
    if (typeof version !== 'number' || typeof id !== 'number') return undefined;
    return {
      ...name,
      version,
      id,
      guid: typeof guid === 'string' ? guid : undefined,
      text: schema,
    };
  }

  /** Writes a copy, as a whole or not at all. @throws Error of the file system */
  async write(schema: RegisteredSchema): Promise<void> {
    const { subject, requested, version, id, guid, text } = schema;
    const content = {
      format: FORMAT,
      registry: this.#registry,
      ...{ subject, requested, version, id, guid },
      schema: text,
      sha256: digest(text),
    };
    const path = this.#pathOf(schema);
    const partial = `${path}.${process.pid}`;
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    try {
      const file = await open(partial, 'w', 0o600);
      try {
        await file.writeFile(JSON.stringify(content));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(partial, path);
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
    await this.#syncFolder();
  }

  /** Records that the registry still has the version of the copy. */
  async confirm(name: SchemaName, atMs: number): Promise<void> {
    await utimes(this.#pathOf(name), atMs / 1_000, atMs / 1_000);
  }

  /** Makes the rename durable. */
  async #syncFolder(): Promise<void> {
    const folder = await open(this.#folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  #pathOf({ subject, requested }: SchemaName): string {
    const key = digest(JSON.stringify([this.#registry, subject, requested])).slice(0, NAME_DIGITS);
    return join(this.#folder, `${key}.json`);
  }
}

const NAME_DIGITS = 32;

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

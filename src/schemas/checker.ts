/**
 * Checks schemas before a gateway uses them, in a thread of its own: a hostile schema takes neither
 * the time nor the memory of the primary.
 */
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { EXIT, StartError } from '../common/errors.ts';
import { SCHEMA_LIMITS } from '../config/schema-limits.ts';
import { SETTINGS } from '../config/settings.ts';
import { inFile, readSchema, type SchemaWarnings } from '../worker/intake/compile-schema.ts';

/** A schema to check. */
export interface CheckRequest {
  readonly text: string;
  /** Maximum bytes of an event that it is applied to. */
  readonly maxEventBytes: number;
}

/** Warnings about a usable schema; or the reason why it is not, which continues "the file …". */
export type SchemaResult = { readonly warnings: SchemaWarnings } | { readonly error: string };

/** Checks of the last texts, by text and size of events: a reload repeats most of them. */
const results = new Map<string, SchemaResult>();

/** Result for a schema file. */
export type SchemaFileResult = SchemaResult & { readonly text: string };

/**
 * Checks schema files, one after the other.
 * @param paths absolute
 * @param maxEventBytes see {@link CheckRequest}
 * @returns the results by path, with the text of each file that could be read
 */
export async function checkSchemaFiles(
  paths: readonly string[],
  maxEventBytes: number,
): Promise<Map<string, SchemaFileResult>> {
  const found = new Map<string, SchemaFileResult>();
  const texts = new Map<string, string>();
  for (const path of paths) {
    try {
      texts.set(path, readSchema(path));
    } catch (error) {
      found.set(path, { error: (error as Error).message, text: '' });
    }
  }
  const checked = await checkSchemas([...texts.values()], maxEventBytes);
  for (const [path, text] of texts) found.set(path, { ...checked.get(text)!, text });
  return found;
}

/**
 * Returns the warnings about the file of FOREBAY_EVENT_SCHEMA, with setting and file.
 * @throws StartError if the file is unusable (exit code 2)
 */
export function eventSchemaWarnings(path: string, result: SchemaResult): SchemaWarnings {
  const line = (text: string) => inFile(SETTINGS.eventSchema.env, path, text);
  if ('error' in result) throw new StartError(line(result.error), EXIT.configuration);
  const { ignored, unmatchable } = result.warnings;
  return { ignored: ignored.map(line), unmatchable: unmatchable.map(line) };
}

/** Checks schemas, one after the other. @returns the results by text */
export async function checkSchemas(
  texts: readonly string[],
  maxEventBytes: number,
): Promise<Map<string, SchemaResult>> {
  const found = new Map<string, SchemaResult>();
  const thread = new CheckThread();
  try {
    for (const text of texts) {
      found.set(text, await thread.check({ text, maxEventBytes }));
    }
  } finally {
    await thread.end();
  }
  return found;
}

/** The thread, started by the first check, and again after one that did not end in time. */
class CheckThread {
  #worker: Worker | undefined;

  async check(request: CheckRequest): Promise<SchemaResult> {
    const { checkMs, resultsKept } = SCHEMA_LIMITS;
    const key = `${request.maxEventBytes} ${request.text}`;
    const known = results.get(key);
    if (known !== undefined) return known;
    this.#worker ??= startThread();
    const worker = this.#worker;
    const settled = new AbortController();
    const { signal } = settled;
    worker.postMessage(request);
    const result = await Promise.race([
      once(worker, 'message', { signal }).then(([answer]) => answer as SchemaResult),
      once(worker, 'exit', { signal }).then(() => 'cannot be checked: the thread has ended'),
      setTimeout(checkMs, `is too expensive: its check takes more than ${checkMs / 1000} s`, {
        signal,
      }),
    ]).catch(({ message }: Error) => `is too expensive: ${message}`);
    settled.abort();
    if (typeof result === 'string') {
      await this.end();
      return { error: result };
    }
    results.set(key, result);
    const [oldest = ''] = results.keys();
    if (results.size > resultsKept) results.delete(oldest);
    return result;
  }

  async end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}

function startThread(): Worker {
  const { checkMemoryMib, checkStackMib } = SCHEMA_LIMITS;
  return new Worker(new URL('./check-thread.js', import.meta.url), {
    // Without preloads of this process.
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: checkMemoryMib, stackSizeMb: checkStackMib },
  });
}

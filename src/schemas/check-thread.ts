/** Thread of checker.ts: checks one schema per message. */
import { parentPort } from 'node:worker_threads';
import { compileSchema, warningsOf } from '../worker/intake/compile-schema.ts';
import { slownessOf } from './backtracking.ts';
import type { CheckRequest, SchemaResult } from './checker.ts';
import { patternsIn } from './patterns.ts';

parentPort?.on('message', (request: CheckRequest) => {
  parentPort?.postMessage(resultOf(request));
});

function resultOf({ text, maxEventBytes }: CheckRequest): SchemaResult {
  try {
    const compiled = compileSchema(text);
    const analyzed = new Set<string>();
    for (const pattern of patternsIn(compiled.schemas)) {
      const key = `${pattern.maxLength} ${pattern.source}`;
      if (analyzed.has(key)) continue;
      analyzed.add(key);
      const error = slownessOf(pattern, maxEventBytes);
      if (error !== undefined) return { error };
    }
    return { warnings: warningsOf(compiled) };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

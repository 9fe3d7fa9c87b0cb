/** Thread of explainer.ts: finds the violations of the events of one body per message. */
import { parentPort } from 'node:worker_threads';
import type { JsonObject } from '../../common/json-object.ts';
import { createFinder, type Finder } from './all-violations.ts';
import type { ExplainReply, ExplainRequest } from './explainer.ts';

/** By the number of their schema. */
const finders = new Map<number, Finder>();

parentPort?.on('message', (request: ExplainRequest) => {
  const startMs = performance.now();
  const events = request.items.map(({ schema, text }) => {
    const event = JSON.parse(text) as JsonObject;
    return finderOf(schema, request)(event);
  });
  const reply: ExplainReply = { body: request.body, events, ms: performance.now() - startMs };
  parentPort?.postMessage(reply);
});

function finderOf(number: number, { schemas }: ExplainRequest): Finder {
  let finder = finders.get(number);
  if (finder === undefined) {
    finder = createFinder(schemas.get(number) ?? '');
    finders.set(number, finder);
  }
  return finder;
}

/** Explanations of bodies: what they collect, and the thread that explains. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { EXPLAIN_LIMITS } from '../../../src/config/schema-limits.ts';
import type { ExplainedStream } from '../../../src/worker/accumulator/batch.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { type EventsResponse, HttpReply } from '../../../src/worker/acknowledger/http-reply.ts';
import { ANONYMOUS } from '../../../src/worker/admission/identity.ts';
import { Explainer } from '../../../src/worker/explain/explainer.ts';
import { Explanation } from '../../../src/worker/explain/explanation.ts';

const budget = new Budget(2 ** 24);
const explainer = new Explainer();
after(() => explainer.close());

const BUILT_IN: ExplainedStream = { name: 'default', spec: { schema: undefined } };
const NUMBERS: ExplainedStream = {
  name: 'numbers',
  spec: { schema: { text: '{"properties":{"n":{"type":"number"}}}' } },
};
const SLOW: ExplainedStream = {
  name: 'slow',
  spec: { schema: { text: '{"properties":{"a":{"pattern":"^(a+)+$"}}}' } },
};

/** A reply that explains, and its response once it is sent. */
function explained(explanation: Explanation) {
  let respond: (response: EventsResponse) => void = () => {};
  const response = new Promise<EventsResponse>((resolve) => {
    respond = resolve;
  });
  const reply = new HttpReply(ANONYMOUS, budget, respond, undefined, false, explanation);
  const reject = (index: number, stream: ExplainedStream, event: object) => {
    const bytes = Buffer.from(`[${JSON.stringify(event)}]`);
    reply.explanation?.add(index, stream, bytes, 1, bytes.length - 1);
    reply.rejected(0, index, 'schema', 'does not match');
  };
  return { reply, reject, response };
}

test('the response follows the explanation of events of several streams', async () => {
  const { reply, reject, response } = explained(new Explanation(explainer, budget, true));
  reject(0, NUMBERS, { n: 'x' });
  reject(3, BUILT_IN, { msg: 'm', clientId: 'c' });
  reply.endBody();
  assert(!reply.answered);
  const { body, status } = await response;
  assert.equal(status, 400);
  assert.deepEqual(body.errors[0]?.events, [
    [0, 0],
    [3, 3],
  ]);
  assert.deepEqual(body.explain, {
    events: [
      {
        event: 0,
        stream: 'numbers',
        violations: [{ path: '/n', message: 'must be number', schema: '#/properties/n/type' }],
      },
      {
        event: 3,
        stream: 'default',
        violations: [
          { path: '', message: "must have required property 'timestamp'", schema: '#/required' },
        ],
      },
    ],
  });
  assert.equal(budget.usedBytes, 0);
});

test('a body without violations is answered at once', () => {
  const { reply } = explained(new Explanation(explainer, budget, false));
  reply.endBody();
  assert(reply.answered);
});

test('events beyond the limits are counted', async () => {
  const { reply, reject, response } = explained(new Explanation(explainer, budget, false));
  for (let index = 0; index < EXPLAIN_LIMITS.events + 3; index++) reject(index, NUMBERS, { n: '' });
  reply.endBody();
  const { explain } = (await response).body;
  assert.equal(explain?.events.length, EXPLAIN_LIMITS.events);
  assert.equal(explain?.events[0]?.stream, undefined);
  assert.deepEqual([explain?.omitted, explain?.reason], [3, 'limit']);

  const large = explained(new Explanation(explainer, budget, false));
  const n = 'x'.repeat(EXPLAIN_LIMITS.eventBytes / 2);
  for (let index = 0; index < 3; index++) large.reject(index, NUMBERS, { n });
  large.reply.endBody();
  const content = (await large.response).body.explain;
  assert.deepEqual([content?.events.length, content?.omitted], [1, 2]);
});

test('a body that expires first is answered without its explanation', async () => {
  const { reply, reject, response } = explained(new Explanation(explainer, budget, false));
  reject(0, NUMBERS, { n: 'x' });
  reply.endBody();
  reply.expire();
  assert.deepEqual((await response).body.explain, { events: [], omitted: 1, reason: 'timeout' });
  const next = explained(new Explanation(explainer, budget, false));
  next.reject(0, NUMBERS, { n: 'x' });
  next.reply.endBody();
  assert.equal((await next.response).body.explain?.events.length, 1);
  assert.equal(budget.usedBytes, 0);
});

test('a thread that takes too long is ended, and later bodies are rate limited', async (context) => {
  const limits = EXPLAIN_LIMITS as { timeoutMs: number };
  const { timeoutMs } = limits;
  context.after(() => {
    limits.timeoutMs = timeoutMs;
  });
  limits.timeoutMs = 300;
  const slow = new Explainer();
  const { reply, reject, response } = explained(new Explanation(slow, budget, false));
  reject(0, SLOW, { a: `${'a'.repeat(40)}!` });
  reply.endBody();
  assert.deepEqual((await response).body.explain, { events: [], omitted: 1, reason: 'timeout' });
  assert.equal(slow.hasRoom, false);
  const next = explained(new Explanation(slow, budget, false));
  next.reject(0, NUMBERS, { n: 'x' });
  next.reply.endBody();
  assert(next.reply.answered, 'without waiting');
  assert.deepEqual((await next.response).body.explain, {
    events: [],
    omitted: 1,
    reason: 'rate_limited',
  });
});

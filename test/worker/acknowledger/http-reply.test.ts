import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVENT_CODES, type EventCode, eventCodes, retryCodes } from '../../../src/common/errors.ts';
import { MIB } from '../../../src/config/limits.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import {
  type EventsResponse,
  HttpReply,
  responseFor,
} from '../../../src/worker/acknowledger/http-reply.ts';
import type { RejectionEntry } from '../../../src/worker/acknowledger/rejections.ts';
import { ANONYMOUS } from '../../../src/worker/admission/identity.ts';

const FRAME = 0;

/** A reply to `count` accepted events, and its responses. */
function replyTo(count: number, budget = new Budget(MIB)) {
  const responses: EventsResponse[] = [];
  const reply = new HttpReply(ANONYMOUS, budget, (response) => responses.push(response));
  for (let event = 0; event < count; event++) reply.accepted(FRAME, event, 0);
  return { reply, responses };
}

/** Settles these events as one run of a batch. */
function settle(reply: HttpReply, ...events: number[]): boolean {
  return reply.settled(FRAME, [99, ...events, 99], 1, 1 + events.length);
}

/** Rejects an accepted event as the acknowledger does: reported, then settled. */
function reject(reply: HttpReply, event: number, code: EventCode): boolean {
  reply.rejected(FRAME, event, code, 'why');
  return settle(reply, event);
}

const entry = (code: EventCode, retryAfterMs?: number): RejectionEntry => ({
  code,
  retry: EVENT_CODES[code].retry,
  message: 'why',
  events: [[0, 0]],
  ...(retryAfterMs !== undefined && { retryAfterMs }),
});

test('200: all stored, or no events', () => {
  assert.deepEqual(responseFor(3, []), { status: 200, body: { accepted: 3, errors: [] } });
  const { reply, responses } = replyTo(0);
  reply.endBody();
  assert.deepEqual(responses, [{ status: 200, body: { accepted: 0, errors: [] } }]);
});

test('503 and Retry-After if any event may be retried, whatever the other results', () => {
  for (const code of retryCodes.filter((each) => each !== 'rate_limited')) {
    for (const accepted of [0, 2]) {
      const errors = [entry('schema'), entry(code, 1_001), entry('rate_limited', 500)];
      const response = responseFor(accepted, errors);
      assert.equal(response.status, 503, code);
      assert.equal(response.retryAfter, 2, 'the longest, in whole seconds');
    }
  }
});

test('429: Retry-After covers all rejected events, in whole seconds', () => {
  const { reply, responses } = replyTo(0);
  reply.rejected(FRAME, 0, 'rate_limited', 'too many', 1_500);
  reply.rejected(FRAME, 1, 'rate_limited', 'too many', 8_100);
  reply.endBody();
  assert.equal(responses[0]?.status, 429);
  const { retryAfter = 0 } = responses[0];
  assert(retryAfter >= 9 && retryAfter <= 11, `${retryAfter}`);
});

test('429 if all retriable events are rate_limited', () => {
  const response = responseFor(1, [entry('rate_limited', 900), entry('schema')]);
  assert.equal(response.status, 429);
  assert.equal(response.retryAfter, 1);
});

test('207 if some are stored and some rejected permanently, 400 if none is stored', () => {
  for (const code of eventCodes.filter((any) => !EVENT_CODES[any].retry)) {
    const errors = [entry(code)];
    assert.deepEqual(responseFor(1, errors), { status: 207, body: { accepted: 1, errors } });
    assert.deepEqual(responseFor(0, errors), { status: 400, body: { accepted: 0, errors } });
  }
});

test('the response is sent once, when the body is decoded and every event is settled', () => {
  const { reply, responses } = replyTo(4);
  reply.rejected(FRAME, 4, 'schema', 'wrong');
  assert.equal(settle(reply, 2, 0), true);
  reply.endBody();
  assert.equal(reply.answered, false);
  assert.equal(reject(reply, 1, 'rejected_by_kafka'), true);
  assert.equal(responses.length, 0);
  assert.equal(settle(reply, 3), true);
  assert.equal(reply.answered, true);
  assert.equal(responses.length, 1);
  const { status, body } = responses[0]!;
  assert.equal(status, 207);
  assert.equal(body.accepted, 3);
  assert.deepEqual(
    body.errors.map(({ code, events }) => [code, events]),
    [
      ['schema', [[4, 4]]],
      ['rejected_by_kafka', [[1, 1]]],
    ],
  );
  assert.equal(reply.late, 0);
});

test('events that settle before the body is decoded cause no response yet', () => {
  const { reply, responses } = replyTo(1);
  settle(reply, 0);
  assert.equal(responses.length, 0);
  reply.endBody();
  assert.equal(responses.length, 1);
});

test('at the timeout, unsettled events are reported as timeout and counted as late', () => {
  const { reply, responses } = replyTo(5);
  reply.endBody();
  settle(reply, 1);
  reject(reply, 3, 'buffer_full');
  assert.equal(reply.late, 0);
  assert.equal(reply.expire(), 3);
  const { status, body } = responses[0]!;
  assert.equal(status, 503);
  assert.equal(body.accepted, 1);
  const timeout = body.errors.find(({ code }) => code === 'timeout');
  assert.deepEqual(timeout?.events, [
    [0, 0],
    [2, 2],
    [4, 4],
  ]);
  assert.equal(timeout?.message, EVENT_CODES.timeout.text);
  assert.equal(reply.late, 3);
});

test('events settled after that are not counted and change no response', () => {
  const { reply, responses } = replyTo(3);
  reply.endBody();
  reply.expire();
  const before = structuredClone(responses);
  assert.equal(settle(reply, 0), false);
  assert.equal(reject(reply, 1, 'rejected_by_kafka'), false);
  assert.equal(reply.late, 1);
  assert.equal(settle(reply, 2), false);
  assert.equal(reply.late, 0);
  assert.deepEqual(responses, before);
});

test('the timeout occurs once, and only for a decoded body', () => {
  const { reply } = replyTo(1);
  assert.throws(() => reply.expire(), assert.AssertionError);
  reply.endBody();
  reply.expire();
  assert.throws(() => reply.expire(), assert.AssertionError);
});

test('a body that cannot be decoded is rejected without ranges', () => {
  const { reply, responses } = replyTo(0);
  reply.rejected(FRAME, undefined, 'invalid_json', 'not valid JSON');
  reply.endBody();
  const { status, body } = responses[0]!;
  assert.equal(status, 400);
  assert.deepEqual(body, {
    accepted: 0,
    errors: [{ code: 'invalid_json', retry: false, message: 'not valid JSON' }],
  });
});

test('rejections are charged to the buffer until the response, or the end without one', () => {
  for (const end of [
    (reply: HttpReply) => reply.settled(FRAME, [0, 1], 0, 2),
    (reply: HttpReply) => reply.expire(),
    (reply: HttpReply) => reply.fail(),
  ]) {
    const budget = new Budget(MIB);
    const { reply } = replyTo(2, budget);
    assert.equal(budget.usedBytes, 0, 'nothing is rejected');
    reply.rejected(FRAME, 2, 'schema', 'wrong');
    reply.endBody();
    assert(budget.usedBytes > 0);
    end(reply);
    assert.equal(budget.usedBytes, 0);
    reply.rejected(FRAME, 1, 'timeout', 'late');
    assert.equal(budget.usedBytes, 0, 'it has ended');
  }
});

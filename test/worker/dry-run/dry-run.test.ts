/** `POST /events?dryRun=1`: results as of a real body, and nothing else. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { LIMITS } from '../../../src/config/limits.ts';
import { cells } from '../../../src/metrics/counters.ts';
import { loadValidator } from '../../../src/worker/intake/validator.ts';
import { TurnBudget } from '../../../src/worker/overload/turn-budget.ts';
import { good } from '../../../testing/events.ts';
import { until } from '../../../testing/wait.ts';
import { FakeResponse, fakeRequest } from '../../fakes/uws.ts';
import { createStages } from '../ingress/stages.ts';

const RESULTS = cells('forebay_dry_run_events_total', ['accepted', 'rejected']);
const RECEIVED = cells('forebay_events_received_total', ['http']).http;
const REFUSED = cells('forebay_events_refused_total', ['schema']).schema;

let stages: ReturnType<typeof createStages>;
beforeEach(() => {
  const turn = new TurnBudget({ now: () => 0, cpuMs: () => 0 });
  stages = createStages({ validate: loadValidator(undefined), parts: { turn } });
});
afterEach(() => {
  stages.http.close();
  stages.webSocket.close();
});

/** Posts a body, and waits for the response: explanations take a thread. */
async function post(query: string, body: string | Buffer, headers: Record<string, string> = {}) {
  const bytes = Buffer.from(body);
  const length = { 'content-length': String(bytes.length) };
  const response = new FakeResponse();
  stages.http.handle(response, fakeRequest('POST', `/events${query}`, { ...length, ...headers }));
  response.deliver(bytes, true);
  await until(() => response.ended, { what: 'the response' });
  return { status: response.status, body: JSON.parse(response.body) };
}

test('a dry run answers as a real request would, and buffers and counts nothing of it', async () => {
  const { budget, counters } = stages;
  const body = `[${good('a')},{"msg":1},7]`;
  const { status, body: found } = await post('?dryRun=1', body);
  assert.equal(status, 207);
  assert.equal(found.dryRun, true);
  assert.equal(found.accepted, 1);
  const codes = found.errors.map(({ code, events }: { code: string; events: unknown }) => [
    code,
    events,
  ]);
  assert.deepEqual(codes, [
    ['schema', [[1, 1]]],
    ['not_an_object', [[2, 2]]],
  ]);
  const [record, ...others] = found.records;
  assert.deepEqual(
    [record.event, record.key, others.length],
    [0, JSON.parse(good('a')).clientId, 0],
  );
  assert.equal(typeof record.timestamp, 'number');
  assert.equal(budget.usedBytes, 0, 'nothing is buffered');
  assert.deepEqual(
    [RECEIVED, REFUSED, RESULTS.accepted, RESULTS.rejected].map((cell) => counters.values[cell]),
    [0, 0, 1, 2],
  );
});

test('compressed bodies, and those decoded in slices, are dry runs too', async () => {
  const events = Array.from({ length: 600 }, (_, index) => good(`${index}`));
  const body = `[${events.join()}]`;
  assert(body.length > LIMITS.oneShotBytes, 'it is decoded in slices');
  const plain = await post('?dryRun=1', body);
  const gzip = await post('?dryRun=1', gzipSync(body), { 'content-encoding': 'gzip' });
  for (const { status, body: found } of [plain, gzip]) {
    assert.deepEqual([status, found.dryRun, found.accepted], [200, true, 600]);
    assert.equal(found.records.length, LIMITS.shownRecords.count);
  }
  assert.equal(stages.budget.usedBytes, 0);
  assert.equal(stages.counters.values[RECEIVED], 0);
});

test('a malformed dryRun is rejected, and nothing is stored', async () => {
  for (const query of ['?dryRun=2', '?dryRun=', '?dryRun=true', '?dryRun=1&dryRun=1']) {
    const { status, body } = await post(query, good('x'));
    assert.deepEqual([status, body.error?.message], [400, 'dryRun must be 0 or 1'], query);
  }
});

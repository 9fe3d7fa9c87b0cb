import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cellOf, STREAM_CELLS } from '../../../src/metrics/layout.ts';
import { Candidate } from '../../../src/worker/intake/candidate.ts';
import type { Validator } from '../../../src/worker/intake/validator.ts';
import { reportingTo } from '../streams/record-stage.ts';

/** A candidate that has time for each event unless an evaluation takes some. */
function setUp(validate: Validator = ({ n }) => (n === 1 ? undefined : '/n must be 1')) {
  const { counters, log, lines } = reportingTo();
  let nowMs = 0;
  const spend = (ms: number) => {
    nowMs += ms;
  };
  const clock = () => {
    nowMs += 0.001;
    return nowMs;
  };
  const candidate = new Candidate('clicks', STREAM_CELLS, validate, { counters, log }, clock);
  const counts = () =>
    (['evaluated', 'failures'] as const).map((what) => {
      return counters.values[cellOf(`forebay_schema_candidate_${what}_total`) + STREAM_CELLS];
    });
  /** Waits until there is time for an evaluation. */
  const offer = (event: object, isAccepted: boolean) => {
    spend(10_000);
    candidate.offer(event as Record<string, unknown>, isAccepted);
  };
  return { candidate, spend, offer, counts, lines };
}

test('each event is evaluated; a failure is one that the schema in use accepts', () => {
  const { candidate, spend, offer, counts } = setUp();
  offer({ n: 1 }, true);
  assert.deepEqual(counts(), [1, 0]);
  offer({ n: 2 }, true);
  assert.deepEqual(counts(), [2, 1]);
  offer({ n: 1 }, false);
  offer({ n: 2 }, false);
  assert.deepEqual(counts(), [4, 1], 'the schema in use rejects both');
  for (const text of ['{"n":1}', '{"n":2}']) {
    spend(10_000);
    candidate.offerBytes(Buffer.from(`[${text}]`), 1, text.length + 1);
  }
  assert.deepEqual(counts(), [6, 2]);
});

test('an evaluation that throws is a failure', () => {
  for (const thrown of [new Error('secret'), new RangeError(), 'text', undefined]) {
    const { offer, counts, lines } = setUp(() => {
      throw thrown;
    });
    offer({ n: 1 }, true);
    assert.deepEqual(counts(), [1, 1]);
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).reason as string),
      ['evaluation failed'],
    );
  }
});

test('failures are logged, sampled, with the reason', () => {
  const { offer, lines } = setUp();
  for (let n = 0; n < 20; n++) offer({ n: 2, secret: 'x' }, true);
  assert.equal(lines.length, 1);
  assert.deepEqual(JSON.parse(lines[0]!), {
    level: 30,
    stream: 'clicks',
    reason: '/n must be 1',
    held: 0,
    msg: 'event does not match the candidate schema',
  });
});

test('the candidates of a worker share their time', () => {
  for (const count of [1, 4]) {
    let spentMs = 0;
    const slow = setUp(() => {
      slow.spend(1);
      spentMs++;
      return undefined;
    });
    slow.candidate.count = count;
    for (let event = 0; event < 200_000; event++) {
      slow.spend(0.1);
      slow.candidate.offer({}, true);
    }
    const share = spentMs / (20_000 + spentMs);
    assert(share > 0.016 / count && share < 0.022 / count, `${share} of the time`);
  }
});

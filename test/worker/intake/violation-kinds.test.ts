/** Violations of stored events: those of the mode warn, and of a candidate schema. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import pino from 'pino';
import { readConfig } from '../../../src/config/config.ts';
import { Counters } from '../../../src/metrics/counters.ts';
import { implicitStream } from '../../../src/streams/implicit-stream.ts';
import { PLAIN } from '../../../src/worker/acknowledger/acknowledger.ts';
import { ANONYMOUS } from '../../../src/worker/admission/identity.ts';
import { decodeText } from '../../../src/worker/decoder/json/text.ts';
import { Faults } from '../../../src/worker/faults.ts';
import { wireBuffer, wireIntake } from '../../../src/worker/wire.ts';
import { until } from '../../../testing/wait.ts';

const SETTINGS = readConfig({});
const BOUNDS = { maxEvents: 1_000, maxEventBytes: 65_536, maxDepth: 64 };

function source(schema: object) {
  return { file: 'schema.json', text: JSON.stringify(schema) };
}

test('stored events that violate the schema or its candidate are violations of their kinds', async () => {
  const [implicit] = implicitStream(SETTINGS).streams;
  const candidate = source({ properties: { n: { maximum: 1 } } });
  const schema = { ...source({ required: ['n'] }), mode: 'warn', candidate } as const;
  const streams = [{ ...implicit!, name: 'a', topic: 'a', schema }];
  const file = { routing: { field: undefined, unknown: 'refuse' }, deadLetter: undefined, streams };
  const buffer = wireBuffer(SETTINGS, { streams, areDeclared: true });
  for (const topic of buffer.topics) topic.resize(1);
  const reporting = {
    counters: new Counters(),
    log: pino({ enabled: false }),
    faults: new Faults(() => {}),
  };
  const stages = wireIntake(SETTINGS, buffer, reporting, { file, areDeclared: true });
  const sender = { identity: ANONYMOUS, origin: '', plain: true };
  stages.intake.begin(PLAIN, 1, stages.streams.table.routeOf('a', sender));
  const violationsOf = (text: string) => {
    decodeText(Buffer.from(text), BOUNDS, stages.intake);
    return stages.violations.take()?.map(({ stream, kind, rows: [row] }) => {
      return [stream, kind, row?.reason, row?.events, row?.example];
    });
  };
  const warned = ['a', 'warn', "must have required property 'n'", 1, '{"m": string(6)}'];
  assert.deepEqual(violationsOf('[{"n":1},{"m":"secret"}]'), [warned]);
  // A candidate is evaluated when there is time.
  const rows = await until(() => violationsOf('{"n":4711}'));
  assert.deepEqual(rows, [['a', 'candidate', '/n must be <= 1', 1, '{"n": integer}']]);
});

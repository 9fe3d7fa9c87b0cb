/** The commands of docs/micro.md, on free ports. */
import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { freePorts } from '../../deploy/kafka/ports.ts';
import { answerBelow, plain } from '../docs/blocks.ts';
import { allFences } from '../docs/fences.ts';
import { Stand } from '../docs/stand.ts';

const PAGE = 'docs/micro.md';
/** Without Kafka: micro ignores brokers, and none is set. */
const stand = new Stand([], await freePorts(4));
afterEach(() => stand.closeTerminals());
after(() => stand.remove());

const block = (text: string) =>
  stand.here(allFences().find((fence) => fence.page === PAGE && fence.text.includes(text))!.text);

test('make micro, and its log by curl and make listen', async () => {
  const settings = { KAFKA_TOPIC: '', KAFKA_BROKERS: '' };
  const gateway = stand.terminal(settings);
  gateway.serve(block('make micro'));
  await gateway.says(/THIS IS NOT KAFKA/);
  await gateway.says(/"msg":"ready"/);
  const terminal = stand.terminal({ ...settings, FOREBAY_PORT: '' });
  const varying = (text: string) => text.replace(/"timestamp":1\d{12},/, '"timestamp":0,');
  const output = plain(await terminal.run(block('/micro/events?format=ndjson')));
  // The response to the event has a line break of its own.
  const lines = (text: string) =>
    varying(text)
      .split('\n')
      .filter((line) => line.trim() !== '');
  assert.deepEqual(lines(output), lines(plain(answerBelow(PAGE, '/micro/events?format=ndjson'))));
  const listened = await terminal.run('make listen ARGS="--from beginning --count 1"');
  assert.match(listened, /forebay micro on port \d+ has its events in a log at http/);
  assert.match(listened, /^11\t0\tme\t\{"msg":"hello","clientId":"me","timestamp":1\}/m);
});

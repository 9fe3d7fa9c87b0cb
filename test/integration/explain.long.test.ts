/** `POST /events?explain=1`: all violations, on both transports and for each kind of body. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { LIMITS } from '../../src/config/limits.ts';
import { EXPLAIN_LIMITS } from '../../src/config/schema-limits.ts';
import type { EventsResponse } from '../../src/worker/acknowledger/http-reply.ts';
import { startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { until } from '../../testing/wait.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-explain-'));
after(() => rmSync(folder, { recursive: true }));

const CLICK = { required: ['type', 'x', 'y'], properties: { x: { type: 'integer' } } };
const ORDER = { properties: { total: { type: 'number' }, id: { type: 'string' } } };

/** Violations of each event in the body. */
const EXPECTED = [
  {
    event: 1,
    stream: 'clicks',
    violations: [
      { path: '', message: "must have required property 'y'", schema: '#/required' },
      { path: '/x', message: 'must be integer', schema: '#/properties/x/type' },
    ],
  },
  {
    event: 2,
    stream: 'orders',
    violations: [
      { path: '/total', message: 'must be number', schema: '#/properties/total/type' },
      { path: '/id', message: 'must be string', schema: '#/properties/id/type' },
    ],
  },
];
const EVENTS = [
  { type: 'order', total: 1, id: 'a' },
  { type: 'click', x: 'left' },
  { type: 'order', total: '1', id: 7 },
];

/** A stream file, of new topics. */
function streamFile(): string {
  writeFileSync(join(folder, 'click.json'), JSON.stringify(CLICK));
  writeFileSync(join(folder, 'order.json'), JSON.stringify(ORDER));
  const path = join(folder, 'streams.yaml');
  const create = 'create: { partitions: 1, replication: 1 }';
  const streams = [
    `  clicks: { topic: ${uniqueTopic()}, match: [click], schema: { file: click.json }, ${create} }`,
    `  orders: { topic: ${uniqueTopic()}, match: [order], schema: { file: order.json }, ${create} }`,
  ];
  writeFileSync(path, `version: 1\nrouting: { field: type }\nstreams:\n${streams.join('\n')}\n`);
  return path;
}

for (const transport of ['uws', 'node']) {
  test(`${transport}: bodies of all kinds are explained`, async () => {
    const { brokers } = await sharedKafka();
    const env = {
      FOREBAY_STREAMS_FILE: streamFile(),
      FOREBAY_TRANSPORT: transport,
      FOREBAY_WORKERS: '1',
    };
    const gateway = await startGateway({ brokers, topic: uniqueTopic(), env });
    const postOnce = async (body: BodyInit, type: string, query: string) => {
      const url = `${gateway.httpUrl}/events${query}`;
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': type },
        body,
      });
      return { status: response.status, body: (await response.json()) as EventsResponse['body'] };
    };
    // A slow machine takes longer for an explanation than its budget of CPU time allows at once.
    const post = async (body: BodyInit, type: string, query = '?explain=1') => {
      let response = await postOnce(body, type, query);
      await until(async () => {
        const { reason } = response.body.explain ?? {};
        if (reason !== 'rate_limited' && reason !== 'timeout') return true;
        response = await postOnce(body, type, query);
        return false;
      });
      return response;
    };
    try {
      const json = await post(JSON.stringify(EVENTS), 'application/json');
      assert.equal(json.status, 207);
      assert.equal(json.body.accepted, 1);
      assert.deepEqual(json.body.explain, { events: EXPECTED });

      const msgpack = await post(new Uint8Array(encode(EVENTS)), 'application/msgpack');
      assert.deepEqual(msgpack.body.explain, { events: EXPECTED });

      const lines = EVENTS.map((event) => JSON.stringify(event)).join('\n');
      assert.deepEqual((await post(lines, 'application/x-ndjson')).body.explain, {
        events: EXPECTED,
      });

      const filler = Array.from({ length: 100 }, () => ({ ...EVENTS[0], more: 'x'.repeat(1_000) }));
      const sliced = JSON.stringify([...EVENTS, ...filler, ...Array(30).fill(EVENTS[2])]);
      assert(sliced.length > 2 * LIMITS.sliceBytes);
      const { explain, accepted } = (await post(sliced, 'application/json')).body;
      assert.equal(accepted, 1 + filler.length);
      assert.deepEqual(explain?.events.slice(0, 2), EXPECTED);
      assert.equal(explain?.events.length, EXPLAIN_LIMITS.events);
      assert.deepEqual([explain?.omitted, explain?.reason], [32 - EXPLAIN_LIMITS.events, 'limit']);

      assert.deepEqual((await post('[{', 'application/json')).body.explain, { events: [] });
      const plain = await post(JSON.stringify(EVENTS), 'application/json', '');
      assert.equal('explain' in plain.body, false);
      assert.equal((await post('[]', 'application/json', '?explain=2')).status, 400);
    } finally {
      await gateway.stop();
    }
  });
}

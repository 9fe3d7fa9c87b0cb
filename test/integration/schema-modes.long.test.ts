/** Modes and candidates of schemas that change by reload, under load of every kind of client. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { hasHeader, lastHeader } from '../../src/kafka/record-headers.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import type { NackError } from '../../testing/protocol.ts';
import { freshMetrics, metricsAtRest } from '../../testing/stage.ts';
import { readTopic } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';
import { logged } from '../../testing/watch.ts';
import { postTo } from '../support/post-to.ts';

const ERROR_HEADER = 'fb-schema-error';
const REASON = "must have required property 'n'";
const REQUIRES_N = '{"type":"object","required":["n"]}';
const EVALUATED = 'forebay_schema_candidate_evaluated_total';
const FAILURES = 'forebay_schema_candidate_failures_total';
const WARNINGS = 'forebay_schema_warnings_total';

const folder = mkdtempSync(join(tmpdir(), 'forebay-modes-'));
const path = join(folder, 'streams.yaml');
const candidatePath = join(folder, 'next.json');
const topic = uniqueTopic();

let gateway: Gateway;
let brokers: readonly string[];

function declare(mode: string): void {
  const schema = `{ file: schema.json, mode: ${mode}, candidate: next.json }`;
  writeFileSync(
    path,
    `version: 1
streams:
  events:
    topic: ${topic}
    create: { partitions: 2, replication: 1 }
    schema: ${schema}
    key: { field: id }
`,
  );
}

before(async () => {
  writeFileSync(join(folder, 'schema.json'), REQUIRES_N);
  writeFileSync(candidatePath, '{"type":"object","required":["absent"]}');
  declare('warn');
  ({ brokers } = await sharedKafka());
  const env = { FOREBAY_STREAMS_FILE: path, FOREBAY_WORKERS: '2', KAFKA_LINGER_MS: '1' };
  gateway = await startGateway({ brokers, topic: uniqueTopic(), env });
});
after(async () => {
  await gateway?.stop();
  rmSync(folder, { recursive: true });
});

/** Ids of events by their result. */
const results = { accepted: [] as string[], rejected: [] as string[] };
/** Ids of plain clients' events: they get no results. */
const unanswered: string[] = [];
let events = 0;
let frames = 0;

/** A frame of events; those with an odd index violate the schema. */
function nextFrame() {
  const of = Array.from({ length: 6 }, (_, index) => {
    const id = `${index % 2 === 0 ? 'valid' : 'invalid'}-${events++}`;
    return index % 2 === 0 ? { id, n: index } : { id };
  });
  frames++;
  return { of, ids: of.map(({ id }) => id) };
}

function note(ids: readonly string[], errors: readonly NackError[]): void {
  const rejected = new Set<number>();
  for (const { code, events: ranges = [], message } of errors) {
    assert.equal(code, 'schema', message);
    for (const [first, last] of ranges) {
      for (let index = first; index <= last; index++) rejected.add(index);
    }
  }
  for (const [index, id] of ids.entries()) {
    (rejected.has(index) ? results.rejected : results.accepted).push(id);
  }
}

/** Sends frames, one at a time for each kind of client, until the result is called. */
function startLoad(clients: { readonly frame: FrameClient; readonly plain: PlainClient }) {
  let isEnded = false;
  const loop = async (send: () => Promise<void>) => {
    while (!isEnded) await send();
  };
  const post = async (type: string, body: string | Uint8Array, ids: readonly string[]) => {
    const { errors } = await postTo(`${gateway.httpUrl}/events/events`, body, {
      'content-type': type,
    });
    note(ids, errors);
  };
  const loops = [
    loop(() => {
      const { of, ids } = nextFrame();
      return post('application/json', JSON.stringify(of), ids);
    }),
    loop(() => {
      const { of, ids } = nextFrame();
      return post('application/x-ndjson', of.map((event) => JSON.stringify(event)).join('\n'), ids);
    }),
    loop(() => {
      const { of, ids } = nextFrame();
      return post('application/msgpack', encode(of), ids);
    }),
    loop(async () => {
      const { of, ids } = nextFrame();
      note(ids, await clients.frame.exchange(JSON.stringify(of)));
      clients.plain.send(...of.map(({ id, ...rest }) => ({ id: `plain-${id}`, ...rest })));
      unanswered.push(...ids.map((id) => `plain-${id}`));
    }),
  ];
  return async () => {
    isEnded = true;
    await Promise.all(loops);
  };
}

async function reload(change: () => void) {
  const before = logged(gateway, 'streams reloaded').length;
  change();
  await until(() => logged(gateway, 'streams reloaded').length > before, { what: 'the reload' });
}

/** Waits for the results of some frames that are sent from now on. */
async function someFrames(): Promise<void> {
  const from = frames;
  await until(() => frames > from + 40, { what: 'frames' });
}

const countOf = async (name: string) =>
  (await freshMetrics(gateway)).value(name, { stream: 'events' });

const mode = async () => {
  const { streams } = (await (await fetch(`${gateway.adminUrl}/streams`)).json()) as {
    streams: Record<string, { schemaMode: string; schemaCandidate: { file: string } }>;
  };
  return [streams.events!.schemaMode, streams.events!.schemaCandidate.file];
};

test('each event has the result of one mode, and its record states it', async () => {
  const clients = {
    frame: await FrameClient.open(`${gateway.wsUrl}/events`),
    plain: await new PlainClient({ url: `${gateway.wsUrl}/events` }).open(),
  };
  const endLoad = startLoad(clients);
  await someFrames();
  assert.deepEqual(results.rejected, []);
  assert.deepEqual(await mode(), ['warn', 'next.json']);
  await until(async () => (await countOf(FAILURES)) > 0, { what: 'failures of the candidate' });
  await reload(() => declare('enforce'));
  assert.deepEqual(await mode(), ['enforce', 'next.json']);
  const before = results.rejected.length;
  await someFrames();
  assert(results.rejected.length > before);

  await reload(() => writeFileSync(candidatePath, REQUIRES_N));
  const failures = await countOf(FAILURES);
  const evaluated = await countOf(EVALUATED);
  await until(async () => (await countOf(EVALUATED)) > evaluated, { what: 'evaluations' });
  assert.equal(await countOf(FAILURES), failures, 'the new candidate is the schema in use');

  await reload(() => declare('off'));
  const accepted = results.rejected.length;
  await someFrames();
  await endLoad();
  const inFlight = results.rejected.length - accepted;
  assert(inFlight <= 4 * 3, `${inFlight} rejected after the switch`);
  await clients.frame.close();
  await clients.plain.close();
});

test('records are those of the accepted events, each once, invalid ones of warn with the reason', async () => {
  const metrics = await metricsAtRest(gateway);
  assert.equal(metrics.value('forebay_events_unaccounted'), 0);
  const records = await readTopic({ brokers, topic });
  const ids = records.map(({ value }) => (JSON.parse(String(value)) as { id: string }).id);
  const stored = new Set(ids);
  assert.equal(stored.size, ids.length, 'each once');
  for (const id of results.accepted) assert(stored.has(id), `${id} was accepted`);
  for (const id of results.rejected) assert(!stored.has(id), `${id} was rejected`);
  for (const id of unanswered) {
    if (id.startsWith('plain-valid')) assert(stored.has(id), `${id} is valid`);
  }
  const flagged = records.filter(({ headers = [] }) => hasHeader(headers, ERROR_HEADER));
  for (const { headers = [], value } of flagged) {
    assert.equal(lastHeader(headers, ERROR_HEADER), REASON);
    assert.match(String(value), /invalid/);
  }
  assert(flagged.some(({ value }) => String(value).includes('plain-invalid')));
  assert.equal(flagged.length, metrics.value(WARNINGS, { stream: 'events' }));
});

test('samples are logged, with the reason and without values', () => {
  const [warning] = logged(gateway, 'event accepted despite a schema error');
  assert.deepEqual([warning?.stream, warning?.reason], ['events', REASON]);
  const [failure] = logged(gateway, 'event does not match the candidate schema');
  const { stream, reason } = failure ?? {};
  assert.deepEqual([stream, reason], ['events', "must have required property 'absent'"]);
});

/**
 * Request framing: each request of the table alone, and with another one smuggled behind it,
 * directly and through HAProxy. A well-behaved client is served meanwhile.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startBalancer } from '../../bench/chaos/balancer.ts';
import { arrayOf, good } from '../../testing/events.ts';
import { GoodClient } from '../../testing/good-client.ts';
import { metricsAtRest } from '../../testing/stage.ts';
import { missingTool } from '../../testing/tools.ts';
import {
  FRAMED_REQUESTS as ALL,
  type FramedRequest,
  MARKER,
  MARKER_STATUS,
} from '../fixtures/framed-requests.ts';
import { framedOn } from '../fixtures/transport-differences.ts';
import { RawHttp } from '../support/raw-http.ts';
import { TappedPort } from '../support/tapped-port.ts';
import { useStage } from '../support/use-stage.ts';

const stage = useStage({ env: { KAFKA_LINGER_MS: '1' } });

const FRAMED_REQUESTS = ALL.map(framedOn);

const STORED: ReadonlySet<unknown> = new Set(['taken', 'taken, the last', 'stored, cut']);

/** Events of the table stored since the last call. */
async function storedOfTable(): Promise<string[]> {
  await metricsAtRest(stage.gateway);
  const events = new Set(FRAMED_REQUESTS.map(({ event }) => event));
  return (await stage.newValues()).filter((value) => events.has(value)).sort();
}

/** Sends the request alone. @returns errors of its response or of its connection's end */
async function alone({ bytes, fate }: FramedRequest): Promise<string | undefined> {
  const raw = new RawHttp(stage.gateway.port);
  raw.write(bytes);
  let expected: number[] = [];
  if (fate === 'taken') {
    expected = [200, MARKER_STATUS];
    await raw.answers(1);
    raw.write(MARKER);
    await raw.answers(2);
    if (raw.closed) return `the connection ended with ${raw.statuses}`;
  } else if (fate === 'taken, the last') expected = [200];
  else if (typeof fate === 'number') expected = [fate];
  if (fate === 'taken' || fate === 'waits') await raw.end();
  else await raw.ended();
  if (fate === 'cut' || fate === 'stored, cut') return smuggled(raw);
  const answered = String(raw.statuses);
  return answered === String(expected) ? undefined : `answered [${answered}] not [${expected}]`;
}

/** @returns the responses if there are several, or one to the marker */
function smuggled(raw: RawHttp): string | undefined {
  return raw.statuses.length > 1 || raw.statuses.includes(MARKER_STATUS) ? raw.text : undefined;
}

/** Sends it followed by a marker: in the same packet, and in another one. */
async function smuggling({ bytes, fate }: FramedRequest): Promise<string | undefined> {
  for (const parts of [[Buffer.concat([bytes, MARKER])], [bytes, MARKER]]) {
    const raw = new RawHttp(stage.gateway.port);
    for (const part of parts) raw.write(part);
    if (fate === 'waits') await raw.end();
    else await raw.ended();
    if (smuggled(raw) !== undefined) return smuggled(raw);
  }
  return undefined;
}

/** Runs all rows concurrently. @returns the failures */
async function failures(
  rows: readonly FramedRequest[],
  attack: (row: FramedRequest) => Promise<string | undefined>,
): Promise<string[]> {
  const failed = await Promise.all(
    rows.map(async (row) => {
      const failure = await attack(row).catch(String);
      return failure === undefined ? [] : [`${row.name}: ${failure}`];
    }),
  );
  return failed.flat();
}

/** Runs a well-behaved client during `attack`: all its events are stored once. */
async function besideGoodClient(t: TestContext, name: string, attack: () => Promise<void>) {
  const client = await GoodClient.overWs(t, stage.gateway.wsUrl, name);
  await attack();
  await client.untilServed(100);
  const { ids, p99Ms } = await client.stop();
  t.diagnostic(`the good client's p99 of ${ids.length} acks: ${p99Ms.toFixed(1)} ms`);
  return ids;
}

test('each request is accepted or rejected as in the table, and nothing else of it is stored', async (t) => {
  assert(FRAMED_REQUESTS.length > 100, `${FRAMED_REQUESTS.length} requests`);
  await besideGoodClient(t, 'alone', async () => {
    assert.deepEqual(await failures(FRAMED_REQUESTS, alone), []);
  });
  const expected = FRAMED_REQUESTS.filter(({ fate }) => STORED.has(fate));
  assert.deepEqual(await storedOfTable(), expected.map(({ event }) => event).sort());
});

test('bytes after an ambiguous request are never answered', async (t) => {
  const rows = FRAMED_REQUESTS.filter(({ fate }) => fate !== 'taken');
  await besideGoodClient(t, 'smuggling', async () => {
    assert.deepEqual(await failures(rows, smuggling), []);
  });
  const stored = new Set(rows.filter(({ fate }) => STORED.has(fate)).map(({ event }) => event));
  for (const event of await storedOfTable()) assert(stored.has(event), event);
});

/** Posts a client-specific number of events through HAProxy, which reveals a swapped response. */
async function postMany(url: string, events: number): Promise<string | undefined> {
  const body = arrayOf(Array.from({ length: events }, (_, index) => good(`of-${events}-${index}`)));
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(`${url}/events`, { method: 'POST', body, headers });
  const answer = await response.text();
  return answer.startsWith(`{"accepted":${events},`) ? undefined : `${response.status} ${answer}`;
}

test('behind HAProxy no smuggled request is answered, and each client receives its own responses', {
  skip: missingTool('haproxy'),
}, async (t) => {
  const tapped = await TappedPort.open(t, stage.gateway.port);
  const haproxy = await startBalancer(t, [tapped], {
    // A late check would take the gateway out of service for all clients.
    checkMs: 10_000,
    // Clients share its connections, as without PROXY headers.
    edit: (config) =>
      config
        .replace('send-proxy-v2', '')
        .replace(/^ {2}server gateway-2.*$/m, '  http-reuse always'),
  });
  const port = Number(new URL(haproxy.httpUrl).port);
  let victims = 0;
  await besideGoodClient(t, 'haproxy', async () => {
    for (const { name, bytes } of FRAMED_REQUESTS) {
      const raw = new RawHttp(port);
      raw.write(bytes);
      raw.write(MARKER);
      const posts = Array.from({ length: 3 }, () =>
        postMany(haproxy.httpUrl, 1 + (victims++ % 50)),
      );
      assert.deepEqual(await Promise.all(posts), [undefined, undefined, undefined], name);
      await raw.end();
    }
  });
  // The gateway alone would miss this length and answer the contents of the body.
  const nameless = new RawHttp(port);
  const head = `GET /livez HTTP/1.1\r\nHost: gateway\r\n: x\r\nContent-Length: ${MARKER.length}`;
  nameless.write(Buffer.concat([Buffer.from(`${head}\r\n\r\n`), MARKER]));
  await nameless.ended();
  assert.deepEqual(nameless.statuses, [400]);
  const checks = '/readyz';
  const [sent, answers] = [await haproxy.answers(0), tapped.answers(checks)];
  const connections = tapped.connections(checks).length;
  t.diagnostic(`${answers} answers on ${connections} connections, ${sent} were asked for`);
  assert.equal(answers, sent);
  assert(sent >= victims && connections < sent / 2, 'connections are reused');
});

/**
 * Both transports with the same random input: frames, bodies, fragmentation and packets. Each is
 * the other's oracle. Failures print the seed: `SEED=123`.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import {
  type Arbitrary,
  array,
  asyncProperty,
  boolean,
  assert as check,
  constantFrom,
  integer,
  json,
  oneof,
  record,
  string,
  uint8Array,
} from 'fast-check';
import { good } from '../../testing/events.ts';
import type { Gateway } from '../../testing/gateway.ts';
import { accountOf, metricsAtRest } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { OPCODE, wsFragments, wsFrame } from '../../testing/ws-frame.ts';
import { RawHttp } from '../support/raw-http.ts';
import { useStage } from '../support/use-stage.ts';
import { WsSocket } from '../support/ws-socket.ts';

const stages = [
  useStage({ env: { FOREBAY_TRANSPORT: 'uws', KAFKA_LINGER_MS: '1' } }),
  useStage({ env: { FOREBAY_TRANSPORT: 'node', KAFKA_LINGER_MS: '1' } }),
] as const;

const seed = Number(process.env.SEED ?? 20_261_130);
const RUNS = { seed, numRuns: 150, endOnFailure: true } as const;
/** Packets of a message beyond these are one packet. */
const PACKETS_MAX = 8;

/** Compares the outcomes of both gateways. */
async function assertEqual<T>(outcome: (gateway: Gateway) => Promise<T>): Promise<void> {
  const [uws, node] = await Promise.all(stages.map(({ gateway }) => outcome(gateway)));
  assert.deepEqual(node, uws);
}

/** Cuts bytes at these fractions of their length. */
function cut(bytes: Buffer, fractions: readonly number[]): Buffer[] {
  const offsets = fractions.map((fraction) => Math.floor((fraction * bytes.length) / 1_000));
  const edges = [0, ...offsets.sort((a, b) => a - b), bytes.length];
  return edges.slice(1).map((end, index) => bytes.subarray(edges[index], end));
}

/** Cuts in thousandths of a length. */
const cuts = (maxLength: number) => array(integer({ min: 0, max: 1_000 }), { maxLength });

/** Text of an event, of several, or of anything else. */
const text: Arbitrary<string> = oneof(
  string({ unit: 'grapheme', maxLength: 300 }).map((msg) => good('random', { msg })),
  array(string({ maxLength: 20 }), { maxLength: 5 }).map(
    (ids) => `[${ids.map((id) => good(id)).join(' ,\n')}]`,
  ),
  array(string({ maxLength: 20 }), { maxLength: 5 }).map((ids) =>
    ids.map((id) => good(id)).join('\n'),
  ),
  json(),
  string({ maxLength: 40 }),
);

interface Message {
  readonly opcode: number;
  readonly payload: Buffer;
  /** Fragments. */
  readonly parts: readonly number[];
  /** A ping between fragments. */
  readonly ping: boolean;
}

const message: Arbitrary<Message> = oneof(
  record({
    opcode: constantFrom(OPCODE.text),
    payload: text.map((value) => Buffer.from(value)),
    parts: cuts(6),
    ping: boolean(),
  }),
  record({
    opcode: constantFrom(OPCODE.binary),
    payload: uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value)),
    parts: cuts(6),
    ping: boolean(),
  }),
);

/** Frames of a message, and the payloads of pings in it. */
function framesOf({ opcode, payload, parts, ping }: Message): Buffer {
  const fragments = wsFragments(opcode, ...cut(payload, parts));
  const [first, ...rest] = fragments;
  return Buffer.concat([first!, ...(ping ? [wsFrame(OPCODE.ping, 'in')] : []), ...rest]);
}

/** Writes bytes in packets. */
async function write(socket: { send(bytes: Buffer): void }, packets: readonly Buffer[]) {
  for (const packet of packets) {
    socket.send(packet);
    await nextTurn();
  }
}

/** Frames that end a connection. */
const violation: Arbitrary<Buffer | undefined> = oneof(
  { weight: 3, arbitrary: constantFrom(undefined) },
  integer({ min: 3, max: 7 }).map((opcode) => wsFrame(opcode, 'x')),
  integer({ min: 1, max: 7 }).map((rsv) => wsFrame(OPCODE.text, '{}', { rsv })),
  integer({ min: 126, max: 200 }).map((bytes) => wsFrame(OPCODE.ping, Buffer.alloc(bytes))),
  integer({ min: 131_073, max: 10_000_000 }).map((bytes) =>
    wsFrame(OPCODE.text, 'x', { claim: BigInt(bytes) }),
  ),
  constantFrom('ff', 'c3', 'eda080', 'f4908080').map((hex) =>
    wsFrame(OPCODE.text, Buffer.from(hex, 'hex')),
  ),
  constantFrom(wsFrame(OPCODE.continuation, 'x'), wsFrame(OPCODE.ping, '', { fin: false })),
);

test('random frames in random fragments and packets: the same acks, rejections and ends', async () => {
  const input = record({
    messages: array(message, { minLength: 1, maxLength: 6 }),
    packets: cuts(PACKETS_MAX),
    last: violation,
  });
  await check(
    asyncProperty(input, async ({ messages, packets, last }) => {
      const bytes = Buffer.concat(messages.map(framesOf));
      await assertEqual(async ({ port }) => {
        const socket = await WsSocket.open(port);
        await write(socket, cut(bytes, packets));
        const { length } = messages;
        const pings = messages.filter(({ ping }) => ping).length;
        // A violation would overtake pongs.
        const isDone = () => socket.acknowledged >= length && socket.pongs.length >= pings;
        await socket.until(() => isDone() || socket.closed, `${length} acks, ${pings} pongs`);
        if (last !== undefined) {
          socket.send(last);
          await socket.ended();
        }
        const { acknowledged, refused, pongs, closed, violations } = socket;
        if (!closed) await socket.end();
        return { acknowledged, refused, pongs: pongs.map(String), closed, violations };
      });
    }),
    RUNS,
  );
});

interface Request {
  readonly line: string;
  readonly headers: readonly string[];
  readonly body: Buffer;
  readonly chunked: readonly number[] | undefined;
}

const request: Arbitrary<Request> = record({
  line: oneof(
    { weight: 6, arbitrary: constantFrom('POST /events') },
    constantFrom(
      'GET /livez',
      'PUT /events',
      'OPTIONS /events',
      'POST /nothing',
      'GET /ws',
      'HEAD /',
    ),
  ),
  type: constantFrom(
    'application/json',
    'application/x-ndjson',
    'application/msgpack',
    'text/html',
  ),
  value: text,
  isCompressed: boolean(),
  chunked: oneof(constantFrom(undefined), cuts(5)),
  more: array(
    constantFrom(
      'Connection: close',
      'Connection: keep-alive',
      'Origin: http://other',
      'Expect: 100-Continue',
      'Expect: nothing',
      'X-Forwarded-For: 192.0.2.1',
      'Upgrade: h2c',
    ),
    { maxLength: 2 },
  ),
}).map(({ line, type, value, isCompressed, chunked, more }) => {
  const hasBody = line.startsWith('P');
  // An empty body differs: docs/platforms.md.
  const plain = Buffer.from(hasBody ? value || ' ' : '');
  const isGzip = hasBody && isCompressed;
  const headers = ['Host: a', `Content-Type: ${type}`, ...new Set(more)];
  if (isGzip) headers.push('Content-Encoding: gzip');
  const isChunked = hasBody && line.startsWith('POST') ? chunked : undefined;
  return { line, headers, body: isGzip ? gzipSync(plain) : plain, chunked: isChunked };
});

/** Bytes of a request. */
function bytesOf({ line, headers, body, chunked }: Request): Buffer {
  const parts = cut(body, chunked ?? []).filter((part) => part.length > 0);
  const framing =
    chunked === undefined ? `Content-Length: ${body.length}` : 'Transfer-Encoding: chunked';
  const head = [`${line} HTTP/1.1`, ...headers, framing, '', ''].join('\r\n');
  if (chunked === undefined) return Buffer.concat([Buffer.from(head), body]);
  const chunks = parts.flatMap((part) => [
    Buffer.from(`${part.length.toString(16)}\r\n`),
    part,
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([Buffer.from(head), ...chunks, Buffer.from('0\r\n\r\n')]);
}

/** A response that closes the connection is lost to a reset if bytes of the request follow it. */
const LOST_RESPONSES_MAX = 5;

/** Sends the packets of a request, again if its response is lost. @returns the connection */
async function answeredBy(port: number, packets: readonly Buffer[]): Promise<RawHttp> {
  for (let attempt = 0; attempt < LOST_RESPONSES_MAX; attempt++) {
    const http = new RawHttp(port);
    await write({ send: (bytes) => http.write(bytes) }, packets);
    await until(() => http.closed || http.rest.includes('\r\n\r\n'), { everyMs: 1 });
    if (http.rest !== '') return http;
  }
  throw new Error(`no response to ${Buffer.concat(packets)}`);
}

test('random bodies in random chunks and packets: the same responses', async () => {
  const input = record({ request, packets: cuts(PACKETS_MAX) });
  await check(
    asyncProperty(input, async ({ request: asked, packets }) => {
      const isBare = /^(HEAD|OPTIONS)/.test(asked.line);
      await assertEqual(async ({ port }) => {
        const http = await answeredBy(port, cut(bytesOf(asked), packets));
        const answers = [await http.answer(isBare)];
        if (answers[0]!.status === 100) answers.push(await http.answer(isBare));
        const { status, headers, body } = answers.at(-1)!;
        http.destroy();
        // uWebSockets.js omits `Connection: close` if the request has it.
        const names = [...headers].filter(
          (header) => !/^(date,|connection,close$)/.test(`${header}`),
        );
        names.sort();
        return { interim: answers.length - 1, status, body, names: names.join('; ') };
      });
    }),
    RUNS,
  );
});

test('the same events are stored, and each is accounted for', async () => {
  const stored: string[][] = [];
  for (const stage of stages) {
    await metricsAtRest(stage.gateway);
    stored.push((await stage.newValues()).sort());
    assert.equal((await accountOf(stage.gateway)).unaccounted, 0);
  }
  assert(stored[0]!.length > 100, `${stored[0]!.length} events`);
  assert.deepEqual(stored[1], stored[0]);
});

/** Bodies and frames that start with a byte order mark, on each decoding path. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { arrayOf, good } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { post } from '../../testing/stage.ts';
import { useStage } from '../support/use-stage.ts';

const MARK = '\ufeff';
const NAMED = 'not valid JSON: it begins with a byte order mark (UTF-8)';
const NDJSON = 'application/x-ndjson';
const A = good('a');
/** Longer than bodies that are decoded at once. */
const LONG = Array.from({ length: 400 }, (_, index) => good(`event ${index}`));

const stage = useStage();

const refusedFrame = (code: string, message: string) => [{ code, retry: false, message }];
const withoutEvents = (errors: readonly object[]) =>
  errors.map((error) => {
    const { events, ...others } = error as { events?: unknown };
    return others;
  });

test('HTTP bodies, short or long, compressed or not: invalid_json that names the mark', async () => {
  const long = arrayOf(LONG);
  assert(long.length > 16_384, `${long.length} bytes`);
  for (const text of [A, arrayOf([A]), `${A}\n${A}\n`, '', long, LONG.join('\n')]) {
    const body = Buffer.from(MARK + text);
    for (const type of ['application/json', 'text/plain', '']) {
      for (const packed of [false, true]) {
        const { status, body: answer } = await post(
          stage,
          packed ? gzipSync(body) : body,
          type,
          packed ? { 'Content-Encoding': 'gzip' } : {},
        );
        assert.equal(status, 400);
        assert.equal(answer.accepted, 0);
        assert.deepEqual(withoutEvents(answer.errors), refusedFrame('invalid_json', NAMED));
      }
    }
  }
  assert.deepEqual(await stage.newValues(), []);
});

test('NDJSON: the first line is rejected, the others are stored', async () => {
  for (const lines of [[A, A], LONG]) {
    const body = Buffer.from(MARK + lines.join('\n'));
    for (const packed of [false, true]) {
      const encoding: Record<string, string> = packed ? { 'Content-Encoding': 'gzip' } : {};
      const { status, body: answer } = await post(
        stage,
        packed ? gzipSync(body) : body,
        NDJSON,
        encoding,
      );
      assert.deepEqual([status, answer.accepted], [207, lines.length - 1]);
      const expected = refusedFrame('invalid_json', `event 0: ${NAMED}`);
      assert.deepEqual(withoutEvents(answer.errors), expected);
      assert.deepEqual((await stage.newValues()).sort(), lines.slice(1).sort());
    }
  }
});

test('bodies in UTF-16: invalid_utf8 that names the mark', async () => {
  const named = 'not valid UTF-8: it begins with a byte order mark (UTF-16)';
  for (const text of [A, arrayOf(LONG)]) {
    const little = Buffer.from(MARK + text, 'utf16le');
    for (const body of [little, Buffer.from(little).swap16()]) {
      const { status, body: answer } = await post(stage, body);
      assert.equal(status, 400);
      assert.deepEqual(withoutEvents(answer.errors), refusedFrame('invalid_utf8', named));
    }
  }
});

test('WebSocket frames, text and binary: the mark is named, and the connection stays open', async () => {
  const client = await FrameClient.open(stage.gateway.wsUrl);
  for (const text of [A, arrayOf(LONG), `${A}\n${A}`]) {
    const refused = await client.exchange(MARK + text);
    assert.deepEqual(withoutEvents(refused), refusedFrame('invalid_json', NAMED));
    const binary = await client.fate(client.sendBinary(Buffer.from(MARK + text)));
    const message =
      'byte 1: unexpected bytes after the end; ' +
      'the input begins with a byte order mark (UTF-8), like text';
    assert.deepEqual(withoutEvents(binary), refusedFrame('invalid_msgpack', message));
    assert.deepEqual(await client.exchange(A), []);
  }
  await client.close();
  assert.deepEqual(await stage.newValues(), [A, A, A]);
});

/** The decoder of docs/consumers.md for kafkajs. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { encode } from '@msgpack/msgpack';
import type { IHeaders } from 'kafkajs';
import { ROOT } from '../../../deploy/kafka/jars.ts';
import { recipe } from './recipes.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-consumer-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('it reads both stored formats', async () => {
  const file = join(folder, 'decoder.mjs');
  writeFileSync(file, recipe('js', 'export function eventOf'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const { eventOf } = (await import(pathToFileURL(file).href)) as {
    eventOf(record: { headers?: IHeaders; value: Uint8Array }): unknown;
  };
  const event = { id: 'a', n: 1 };
  const typed = (type: string) => ({ 'content-type': Buffer.from(type) });
  const json = Buffer.from(JSON.stringify(event));
  assert.deepEqual(eventOf({ value: json }), event);
  assert.deepEqual(eventOf({ headers: typed('application/json'), value: json }), event);
  const sent = { headers: typed('application/msgpack'), value: encode(event) };
  assert.deepEqual(eventOf(sent), event);
  assert.throws(
    () => eventOf({ headers: typed('text/plain'), value: json }),
    /unknown content-type/,
  );
});

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readStreams } from '../../../src/cli/replay/command.ts';
import { readConfig } from '../../../src/config/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-replay-'));
after(() => rmSync(folder, { recursive: true }));

const path = join(folder, 'streams.yaml');
const warnings: string[] = [];

/** Reads a stream file with one schema. @param text of the file; undefined = there is none */
function read(text: string | undefined) {
  rmSync(path, { force: true });
  if (text !== undefined) writeFileSync(path, text);
  writeFileSync(join(folder, 'click.json'), '{ "format": "unknown" }');
  warnings.length = 0;
  const env = { KAFKA_BROKERS: 'localhost:1', FOREBAY_STREAMS_FILE: path };
  return readStreams(readConfig(env), (line) => warnings.push(line));
}

test('warnings about schemas are shown', async () => {
  const file = await read(`version: 1
streams: { clicks: { topic: c, schema: { file: click.json } } }
`);
  assert.equal(file.streams.length, 1);
  assert.equal(warnings.length, 1, warnings.join());
  assert.match(warnings[0] ?? '', /^warning: .*streams\.yaml.*format/);
});

test('an invalid file is a matter of the settings, one that cannot be read is not', async () => {
  await assert.rejects(read('version: 2'), { name: 'StartError', exitCode: 2 });
  await assert.rejects(read(undefined), { name: 'StartError', exitCode: 1 });
});

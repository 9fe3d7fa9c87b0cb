/** The log of `forebay micro`: files, selection, values as they were stored. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { EventLog } from '../../src/micro/event-log.ts';
import { event, openStand } from './stand.ts';

const root = mkdtempSync(join(tmpdir(), 'forebay-micro-'));
after(() => rmSync(root, { recursive: true }));
let folders = 0;
const newFolder = () => join(root, `data ${folders++}`);

/** Fills a folder with two stored events and a rejected one. @returns the folder */
async function filledFolder(): Promise<string> {
  const folder = newFolder();
  const { send, log } = openStand({ log: { folder } });
  send(event('one'));
  send(`[${event('two')},7]`);
  await turn();
  log.close();
  return folder;
}

test('files have the lines, and the next process continues positions, offsets and counts', async () => {
  const folder = await filledFolder();
  assert.deepEqual(readdirSync(folder), ['default.rejected.ndjson', 'default.stored.ndjson']);
  const lines = readFileSync(join(folder, 'default.stored.ndjson'), 'utf8').trim().split('\n');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).value.msg),
    ['one', 'two'],
  );
  const { send, entries, log } = openStand({ log: { folder } });
  assert.deepEqual(log.counts(), { stored: 2, rejected: 1, dead_letter: 0 });
  send(event('three'));
  await turn();
  const all = entries();
  assert.deepEqual(
    all.map(({ seq }) => seq),
    [1, 2, 3, 4],
  );
  assert.deepEqual([all.at(-1)!.offset, all.at(-1)!.value], [2, JSON.parse(event('three'))]);
  log.reset();
  log.close();
  for (const name of readdirSync(folder))
    assert.equal(readFileSync(join(folder, name), 'utf8'), '');
});

test('a line that a crash has cut is removed; any other content is an error with its line', async () => {
  const folder = await filledFolder();
  const path = join(folder, 'default.stored.ndjson');
  const whole = readFileSync(path, 'utf8');
  appendFileSync(path, '{"seq":9,"outc');
  const log = new EventLog({ maxBytes: 1e6, folder });
  assert.equal(log.counts().stored, 2);
  log.close();
  assert.equal(readFileSync(path, 'utf8'), whole);
  appendFileSync(path, 'not a line of ours\n');
  const message = new RegExp(`^micro: line 3 of ${path} is not an event of forebay micro`);
  assert.throws(() => new EventLog({ maxBytes: 1e6, folder }), { message, exitCode: 1 });
});

test('a folder that cannot be used is an error that names it', () => {
  const folder = join(root, 'a file');
  writeFileSync(folder, '');
  const message = /^micro: cannot use --data .*a file: /;
  assert.throws(() => new EventLog({ maxBytes: 1e6, folder }), { message, exitCode: 1 });
});

test('a selection has the order of arrival, and goes on where the one before ended', async () => {
  const { send, log } = openStand();
  for (let index = 0; index < 5; index++) send(`[${event(`event ${index}`)},${index}]`);
  await turn();
  const seqs: number[] = [];
  let since = 0;
  for (;;) {
    const { lines, next, more } = log.select({ since, limit: 3, bytes: 1e6 });
    seqs.push(...lines.map((line) => JSON.parse(line).seq as number));
    since = next;
    if (!more) break;
  }
  assert.deepEqual(
    seqs,
    Array.from({ length: 10 }, (_, index) => index + 1),
  );
  const bad = log.select({ since: 0, outcome: 'rejected', limit: 100, bytes: 1e6 });
  assert.equal(bad.lines.length, 5);
  assert.deepEqual(log.select({ since: 0, limit: 100, bytes: 1 }).lines.length, 1);
  assert.deepEqual(log.select({ since: 0, stream: 'other', limit: 1, bytes: 1 }).lines, []);
});

test('a value is written as it was sent, on one line: numbers and repeated names are kept', async () => {
  const { send, log } = openStand({ streams: { any: {} } });
  send('{\n "n": 12345678901234567890,\r\n "a": 1, "a": 2, "text": "x\\ny"}', 'any');
  await turn();
  const [line] = log.select({ since: 0, limit: 1, bytes: 1 }).lines;
  assert(line!.includes('"value":{  "n": 12345678901234567890,   "a": 1, "a": 2,'), line);
  assert.equal(JSON.parse(line!).value.text, 'x\ny');
});

test('an event that its file cannot take is rejected, with the reason in the log', async () => {
  const folder = newFolder();
  const { send, results, entries, lines } = openStand({ log: { folder } });
  symlinkSync('/dev/full', join(folder, 'default.stored.ndjson'));
  send(event('the disk is full'));
  await turn();
  assert.deepEqual(results, ['0 buffer_full', '0 settled']);
  const [line] = lines;
  assert.deepEqual([line!.message, line!.stream], ['event log cannot be written', 'default']);
  assert.match(String(line!.error), /ENOSPC/);
  assert.deepEqual(
    entries().map(({ outcome, code }) => [outcome, code]),
    [['rejected', 'buffer_full']],
  );
});

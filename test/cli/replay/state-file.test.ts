import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { OffsetSet } from '../../../src/cli/replay/offset-set.ts';
import { loadState, StateFile } from '../../../src/cli/replay/state-file.ts';
import { StateLock } from '../../../src/common/state-lock.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-replay-'));
after(() => rmSync(folder, { recursive: true }));

const SOURCE = { cluster: 'c', topic: 'forebay.rejected', topicId: 'a1' };
let files = 0;
const newPath = () => join(folder, `state-${files++}`);

function offsets(first: number, last = first): OffsetSet {
  const set = new OffsetSet();
  set.add(first, last);
  return set;
}

/** Texts of the dead letters in a file. */
function contentOf(path: string) {
  const { offsets: found } = loadState(path);
  return { done: found.done.toJSON(), open: found.open.toJSON() };
}

/** A file with 0 to 4 begun, and 1 and 2 done. */
async function writtenFile(path = newPath()): Promise<string> {
  const state = await StateFile.open(path, SOURCE);
  await state.begin(0, offsets(0, 4));
  state.settle(0, 1, 'done');
  state.settle(0, 2, 'done');
  await state.flush();
  await state.close();
  return path;
}

test('dead letters are begun, done, or neither after Kafka has rejected them', async () => {
  const path = await writtenFile();
  assert.deepEqual(contentOf(path), { done: { 0: '1-2' }, open: { 0: '0,3-4' } });
  const state = await StateFile.open(path, SOURCE);
  state.settle(0, 3, 'failed');
  state.settle(0, 4, 'done');
  assert.equal(state.unwritten, 2);
  await state.begin(7, offsets(9));
  assert.equal(state.unwritten, 0);
  await state.close();
  assert.deepEqual(contentOf(path), { done: { 0: '1-2,4' }, open: { 0: '0', 7: '9' } });
});

test('a line that was not written to its end is ignored, and removed', async () => {
  const path = await writtenFile();
  const whole = readFileSync(path);
  appendFileSync(path, '1234abcd {"done":{"0":"0');
  assert.deepEqual(contentOf(path), { done: { 0: '1-2' }, open: { 0: '0,3-4' } });
  await (await StateFile.open(path, SOURCE)).close();
  assert.deepEqual(readFileSync(path), whole);
});

test('any other changed byte is an error that names the line', async () => {
  const path = await writtenFile();
  const whole = readFileSync(path);
  const last = whole.lastIndexOf('\n', whole.length - 2);
  const lineFeeds = whole.toString('latin1').split('\n').length - 1;
  for (let at = 0; at < last; at++) {
    const changed = Buffer.from(whole);
    changed[at]! ^= 1;
    writeFileSync(path, changed);
    const line = whole.toString('latin1', 0, at).split('\n').length;
    const message = new RegExp(`^replay: the state file .* is corrupt in line ${line}: `);
    assert.throws(() => loadState(path), { name: 'StartError', exitCode: 1, message });
  }
  assert.ok(lineFeeds > 3, 'the file has lines');
  const [first = '', second = ''] = whole.toString('latin1').split('\n');
  for (const [content, line] of [
    [first.slice(0, 20), 1],
    [`${first}\n`, 2],
    [`${first}\n${second.slice(0, 20)}\n`, 2],
  ] as const) {
    writeFileSync(path, content);
    assert.throws(() => loadState(path), { message: new RegExp(`is corrupt in line ${line}: `) });
  }
});

test('a last line that the system has not written in full is ignored, and removed', async () => {
  const path = await writtenFile();
  const whole = readFileSync(path);
  const last = whole.lastIndexOf('\n', whole.length - 2) + 1;
  for (let at = last; at < whole.length - 1; at++) {
    // The rest of its disk block is missing.
    writeFileSync(path, Buffer.from(whole).fill(0, at, whole.length - 1));
    assert.deepEqual(contentOf(path), { done: {}, open: { 0: '0-4' } });
  }
  await (await StateFile.open(path, SOURCE)).close();
  assert.deepEqual(readFileSync(path), whole.subarray(0, last));
});

test('only a file that did not exist, or is empty, is new', async () => {
  const path = newPath();
  const isNew = async () => {
    const state = await StateFile.open(path, SOURCE);
    await state.close();
    return state.isNew;
  };
  assert.deepEqual([await isNew(), await isNew()], [true, false]);
  writeFileSync(path, '');
  assert.ok(await isNew());
});

test('the file of another topic, cluster or a former topic is rejected', async () => {
  const path = await writtenFile();
  const open = (changed: object) => StateFile.open(path, { ...SOURCE, ...changed });
  await assert.rejects(open({ topic: 'x' }), /is that of topic forebay\.rejected$/);
  await assert.rejects(open({ cluster: 'x' }), /is that of another Kafka cluster, c$/);
  await assert.rejects(open({ topicId: 'b2' }), /was deleted and created again after the state/);
  await (await open({ topicId: null })).close();
});

test('a file that has grown is rewritten with the same content', async () => {
  const path = await writtenFile();
  const state = await StateFile.open(path, SOURCE);
  for (let first = 0; first < 50_000; first += 5_000) {
    const begun = new OffsetSet();
    for (let offset = first; offset < first + 5_000; offset += 2) begun.add(offset);
    await state.begin(1, begun);
    for (const [offset] of begun.ranges) state.settle(1, offset, 'done');
    await state.begin(1, new OffsetSet());
    for (let offset = first + 1; offset < first + 5_000; offset += 2) {
      state.settle(1, offset, 'done');
    }
  }
  await state.flush();
  await state.close();
  const before = { content: contentOf(path), bytes: statSync(path).size };
  await (await StateFile.open(path, SOURCE)).close();
  assert.deepEqual(contentOf(path), before.content);
  assert.ok(statSync(path).size < before.bytes / 100);
});

test('a second writer is detected before its dead letters are produced', async () => {
  const path = newPath();
  const one = await StateFile.open(path, SOURCE);
  const other = await StateFile.open(path, SOURCE);
  await one.begin(0, offsets(1));
  await assert.rejects(other.begin(0, offsets(1)), /another process has changed the state file/);
  await assert.rejects(
    other.flush().then(() => other.begin(0, offsets(2))),
    /another process/,
  );
  await one.begin(0, offsets(2));
  rmSync(path);
  await assert.rejects(one.begin(0, offsets(3)), /another process has changed the state file/);
  await Promise.all([one.close(), other.close()]);
});

test('a folder as the state file, or in place of its folder, is an error', async () => {
  assert.throws(() => loadState(folder), /cannot read the state file .*EISDIR/);
  const path = await writtenFile();
  assert.throws(() => new StateLock(join(path, 'x.lock')), { name: 'StartError', exitCode: 1 });
});

test('a lock keeps a second replay out until it is released', () => {
  const path = join(folder, 'new', 'folder', 'state.lock');
  const lock = new StateLock(path);
  const message = `replay: process ${process.pid} is replaying with this state file`;
  assert.throws(() => new StateLock(path), { message, exitCode: 1 });
  lock.release();
  new StateLock(path).release();
});

test('the lock of a process that has ended is replaced, and not released by it', () => {
  const path = `${newPath()}.lock`;
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  const own = new StateLock(path);
  const here = JSON.parse(readFileSync(path, 'utf8')) as object;
  own.release();
  const holder = { ...here, pid, nonce: 'x' };
  writeFileSync(path, JSON.stringify(holder));
  const lock = new StateLock(path);
  // Another process has the number now.
  writeFileSync(path, JSON.stringify({ ...holder, pid: process.pid, started: '1' }));
  lock.release();
  new StateLock(path).release();
  writeFileSync(path, '{"pid":');
  new StateLock(path).release();
  writeFileSync(path, JSON.stringify({ ...holder, host: 'elsewhere' }));
  assert.throws(() => new StateLock(path), /process \d+ on elsewhere .*if it has ended, remove/);
  // Processes that share the name of the host, but not the process numbers.
  for (const place of [{ namespace: 'pid:[1]' }, { boot: 'x' }]) {
    writeFileSync(path, JSON.stringify({ ...holder, ...place }));
    const message = /process \d+ in another container or boot is .*if it has ended, remove/;
    assert.throws(() => new StateLock(path), message);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProgressBar, progressLine } from '../../src/cli/progress.ts';

test('the line of a bar fits the terminal', () => {
  const text = '12 events';
  const bar = (filled: number) => `[${'#'.repeat(filled)}${'.'.repeat(24 - filled)}]`;
  assert.equal(progressLine({ share: 0, text }, 80), `${bar(0)}   0%  12 events`);
  assert.equal(progressLine({ share: 0.5, text }, 80), `${bar(12)}  50%  12 events`);
  assert.equal(progressLine({ share: 2, text }, 80), `${bar(24)} 100%  12 events`);
  assert.equal(progressLine({ share: 0.999, text }, 31), `${bar(23)}  99`);
});

test('a bar is drawn on a terminal only, makes room for lines, and is removed at the end', () => {
  const written: string[] = [];
  const write = (part: string) => written.push(part);
  const state = () => ({ share: 0.5, text: 'half' });
  const bar = new ProgressBar({ isTTY: true, columns: 80, write }, state);
  bar.begin();
  bar.around(() => write('line\n'));
  bar.end();
  bar.end();
  const clear = '\r\u001b[K';
  assert.match(written[0]!, /50% {2}half$/);
  assert.deepEqual(written.slice(1), [clear, 'line\n', clear]);
  written.length = 0;
  const plain = new ProgressBar({ write }, state);
  plain.begin();
  plain.around(() => write('line\n'));
  plain.end();
  assert.deepEqual(written, ['line\n']);
});

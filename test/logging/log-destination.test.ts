import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LogDestination } from '../../src/logging/log-destination.ts';

test('it waits for a full pipe once; a cut line ends with the next line that fits', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-log-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'pipe');
  execFileSync('mkfifo', [file]);
  const fd = openSync(file, constants.O_RDWR | constants.O_NONBLOCK);
  const output = new LogDestination(fd);
  const line = `${'x'.repeat(99_999)}\n`;
  output.write(line);
  const sinceMs = performance.now();
  for (let count = 0; count < 100; count++) output.write(line);
  assert(performance.now() - sinceMs < 5_000, 'a pipe that is still full is not waited for again');
  const cut = readAll(fd);
  assert(cut.length > 0 && cut.length < line.length && /^x+$/.test(cut));
  output.write('next\n');
  output.write('last\n');
  assert.equal(readAll(fd), '\nnext\nlast\n');
});

/** Current content. */
function readAll(fd: number): string {
  const bytes = Buffer.alloc(1_000_000);
  return bytes.toString('latin1', 0, readSync(fd, bytes));
}

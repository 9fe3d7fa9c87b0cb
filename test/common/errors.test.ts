import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { getSystemErrorMap } from 'node:util';
import {
  attemptAll,
  boundedMessage,
  complain,
  EVENT_CODES,
  EXIT,
  REQUEST_CODES,
  StartError,
  systemReason,
} from '../../src/common/errors.ts';

const protocol = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');

test('docs/protocol.md lists every code of the catalog with its text, and no other', () => {
  const rows = [...protocol.matchAll(/^\| `([a-z0-9_]+)` \| (.*) \| (yes|no|) ?\| (.*) \|$/gm)];
  const documented = rows.map(([, code, of, again, text]) => [code, of, again, text]);
  const events = Object.entries(EVENT_CODES).map(([code, { retry, text }]) => [
    code,
    'event or frame',
    retry ? 'yes' : 'no',
    text,
  ]);
  const requests = Object.entries(REQUEST_CODES).map(([code, entry]) => {
    const shown = [
      'http' in entry ? `HTTP ${entry.http}` : '',
      'ws' in entry ? `close ${entry.ws}` : '',
    ];
    return [code, shown.filter((part) => part !== '').join(', '), '', entry.text];
  });
  assert.deepEqual(documented, [...events, ...requests]);
});

test('a message in a response is truncated to 200 characters', () => {
  assert.equal(boundedMessage('x'.repeat(200)), 'x'.repeat(200));
  assert.equal(boundedMessage('x'.repeat(201)).length, 200);
});

test('system errors are described, with their code', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-errors-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [file, loop] = [join(folder, 'file'), join(folder, 'loop')];
  writeFileSync(file, '');
  symlinkSync(loop, loop);
  const reasons = new Map([
    [join(folder, 'absent'), 'no such file or directory (ENOENT)'],
    [folder, 'it is a directory, not a file (EISDIR)'],
    [join(file, 'within'), 'not a directory (ENOTDIR)'],
    [loop, 'too many symbolic links encountered (ELOOP)'],
    [join(folder, 'n'.repeat(300)), 'name too long (ENAMETOOLONG)'],
  ]);
  for (const [path, reason] of reasons) {
    assert.throws(
      () => readFileSync(path),
      (error) => {
        assert.equal(systemReason(error), reason);
        return true;
      },
    );
  }
});

test('every system error has a description', () => {
  for (const [errno, [code]] of getSystemErrorMap()) {
    const reason = systemReason(Object.assign(new Error('raw'), { errno, code }));
    assert.match(reason, /^[a-zA-Z].* \([A-Z0-9_]+\)$/, code);
    assert(!reason.startsWith('raw'), code);
  }
  assert.equal(
    systemReason(Object.assign(new Error('raw'), { code: 'ERR_OTHER' })),
    'raw (ERR_OTHER)',
  );
  assert.equal(systemReason(new Error('raw')), 'raw');
});

test('the reason of a host with several addresses is that of the first', () => {
  const errors = ['::1', '127.0.0.1'].map((host) => {
    const [errno, [code]] = [...getSystemErrorMap()].find(([, [name]]) => name === 'ECONNREFUSED')!;
    return Object.assign(new Error(`connect ECONNREFUSED ${host}`), { errno, code });
  });
  const all = Object.assign(new AggregateError(errors, ''), { code: 'ECONNREFUSED' });
  assert.equal(systemReason(all), 'connection refused (ECONNREFUSED)');
});

test('failed steps are reported together; others return their results', () => {
  const fails = (message: string, exitCode: number) => () => {
    throw new StartError(message, exitCode);
  };
  assert.deepEqual(
    attemptAll(
      () => 1,
      () => 'b',
    ),
    [1, 'b'],
  );
  assert.throws(
    () => attemptAll(fails('a', EXIT.failed), () => 1, fails('b', EXIT.configuration)),
    {
      name: 'StartError',
      message: 'a\nb',
      exitCode: EXIT.configuration,
    },
  );
  assert.throws(() => attemptAll(fails('a', EXIT.failed)), { message: 'a', exitCode: EXIT.failed });
  const defect = new TypeError('a defect');
  const breaks = () => {
    throw defect;
  };
  assert.throws(() => attemptAll(fails('a', 1), breaks), defect);
});

test('each line on stderr names the command once', (t) => {
  const written: string[] = [];
  t.mock.method(process.stderr, 'write', (text: string) => written.push(text) > 0);
  complain('one\ntwo');
  complain('wrong settings:\n  A is wrong');
  complain('forebay: marked');
  t.mock.restoreAll();
  assert.equal(
    written.join(''),
    'forebay: one\nforebay: two\nforebay: wrong settings:\n  A is wrong\nforebay: marked\n',
  );
});

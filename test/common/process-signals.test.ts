import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { processSignals } from '../../src/common/process-signals.ts';

test('SIGHUP restarts workers on Unix systems; on Windows it is the end of the console', () => {
  for (const platform of ['linux', 'darwin', 'freebsd']) {
    const { stop, restart } = processSignals(platform);
    assert.deepEqual([stop, restart], [['SIGTERM', 'SIGINT'], ['SIGHUP']], platform);
  }
  const { stop, restart } = processSignals('win32');
  assert.deepEqual([stop, restart], [['SIGINT', 'SIGBREAK', 'SIGHUP'], []]);
});

test('the signals of this platform exist on it', () => {
  const { stop, restart } = processSignals();
  for (const signal of [...stop, ...restart]) assert(constants.signals[signal] > 0, signal);
});

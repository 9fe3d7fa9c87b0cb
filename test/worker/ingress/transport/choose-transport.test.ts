import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXIT, StartError } from '../../../../src/common/errors.ts';
import {
  chooseTransport,
  loadTransport,
} from '../../../../src/worker/ingress/transport/choose-transport.ts';

test('auto is uWebSockets.js if it loads, otherwise Node.js with the reason', () => {
  assert.deepEqual(chooseTransport('auto'), { name: 'uws' });
  const reason = 'no binary';
  const fails = () => {
    throw new StartError(reason, EXIT.failed);
  };
  assert.deepEqual(chooseTransport('auto', fails), { name: 'node', reason });
});

test('a transport that is named is not replaced', async () => {
  const fails = () => {
    throw new Error('not called');
  };
  for (const name of ['uws', 'node'] as const) {
    assert.deepEqual(chooseTransport(name, fails), { name });
    assert.equal((await loadTransport(name)).name, name);
  }
});

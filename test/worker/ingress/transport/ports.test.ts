import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReusePort } from '../../../../src/worker/ingress/transport/node/ports.ts';

test('SO_REUSEPORT on Linux with Node.js 22.12, 23.1 and later', () => {
  for (const node of ['22.12.0', '22.20.1', '23.1.0', '24.0.0', '26.1.0']) {
    assert(hasReusePort('linux', node), node);
    assert(!hasReusePort('darwin', node), node);
    assert(!hasReusePort('win32', node), node);
  }
  for (const node of ['20.20.2', '22.11.0', '23.0.0']) assert(!hasReusePort('linux', node), node);
});

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LIMITS } from '../../../../src/config/limits.ts';
import { SUBPROTOCOL } from '../../../../src/worker/ingress/websocket/upgrades.ts';
import type { WebSocketHandler } from '../../../../src/worker/ingress/websocket/websocket-handler.ts';
import { FakeResponse, fakeHandshake } from '../../../fakes/uws.ts';
import { createStages } from '../stages.ts';

const { upgradesPerTurn } = LIMITS;
let webSocket: WebSocketHandler;
let accepted: number[];

beforeEach(() => {
  const stages = createStages();
  stages.http.close();
  ({ webSocket } = stages);
  accepted = [];
});
afterEach(() => webSocket.close());

/** Handshakes that arrive in one turn. */
function arrive(count: number): FakeResponse[] {
  return Array.from({ length: count }, (_, index) => {
    const response = new FakeResponse({ onUpgrade: () => accepted.push(index) });
    webSocket.behavior.upgrade(response, fakeHandshake(SUBPROTOCOL), {});
    return response;
  });
}

const numbers = (end: number) => Array.from({ length: end }, (_, index) => index);

test('a turn accepts a bounded number of handshakes, the others follow in order', async () => {
  arrive(2 * upgradesPerTurn + 1);
  assert.deepEqual(accepted, numbers(upgradesPerTurn));
  assert(webSocket.busy, 'others wait');
  for (const count of [2 * upgradesPerTurn, 2 * upgradesPerTurn + 1]) {
    await nextTurn();
    assert.deepEqual(accepted, numbers(count));
  }
  await nextTurn();
  assert(!webSocket.busy);
  accepted = [];
  arrive(upgradesPerTurn);
  assert.deepEqual(accepted, numbers(upgradesPerTurn), 'another turn');
});

test('a handshake that waits for a turn is rejected by a drain, and dropped with its client', async () => {
  const [gone, late] = arrive(upgradesPerTurn + 2).slice(upgradesPerTurn);
  gone!.abort();
  webSocket.rejectHandshakes();
  await nextTurn();
  await nextTurn();
  assert.deepEqual(accepted, numbers(upgradesPerTurn));
  assert.deepEqual([gone!.status, late!.status], [undefined, 503]);
  assert.match(late!.body, /"draining"/);
});

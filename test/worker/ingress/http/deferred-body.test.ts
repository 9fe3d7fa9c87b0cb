import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { LIMITS, MIB } from '../../../../src/config/limits.ts';
import { ANONYMOUS } from '../../../../src/worker/admission/identity.ts';
import type { Authorization, Authorized } from '../../../../src/worker/ingress/authorize.ts';
import { DeferredBody } from '../../../../src/worker/ingress/http/deferred-body.ts';
import { ChunkFloodDetector } from '../../../../src/worker/overload/flood.ts';
import { InputMemory } from '../../../../src/worker/overload/input-memory.ts';
import { RejectingRoute } from '../../../../src/worker/streams/route.ts';
import { FakeResponse } from '../../../fakes/uws.ts';

const SENDER: Authorized = { identity: ANONYMOUS, route: new RejectingRoute('unknown_stream') };

/** A request whose chunks and authentication complete when the test says so. */
class Request extends FakeResponse {
  /** The authenticated sender. */
  sender: Authorized | undefined;
  readonly calls: string[] = [];
  /** Default limit: two chunks of 5 bytes together. */
  readonly memory: InputMemory;
  authenticate!: (auth: Authorization) => void;

  readonly turn = { spent: false, number: 1, spend: () => !this.turn.spent };

  constructor(memoryBytes = 5 + 2 * LIMITS.chunkOverheadBytes) {
    super();
    this.memory = new InputMemory(memoryBytes);
    const auth = new Promise<Authorization>((resolve) => {
      this.authenticate = resolve;
    });
    const body = new DeferredBody(this, auth, this.memory, new ChunkFloodDetector(this.turn), {
      authorized: (sender) => {
        this.sender = sender;
      },
      rejected: (code) => this.calls.push(code),
      evicted: () => this.calls.push('evicted'),
      flooded: () => this.calls.push('flooded'),
      failed: (error) => this.calls.push(String(error)),
    });
    body.onAborted(() => this.calls.push('aborted'));
    body.onData((chunk, isLast) => {
      const text = Buffer.from(chunk).toString();
      if (text === 'throw') throw new Error('thrown');
      this.calls.push(isLast ? `${text}.` : text);
    });
  }

  part(text: string, isLast = false): void {
    this.deliver(text, isLast);
  }
}

test('a body is read only after authentication; earlier chunks are then delivered in order', async () => {
  const request = new Request();
  assert(request.paused, 'the socket is paused');
  request.part('a');
  request.part('b');
  await turn();
  assert.deepEqual(request.calls, []);
  request.authenticate(SENDER);
  await turn();
  assert.deepEqual(request.calls, ['a', 'b']);
  assert(!request.paused, 'the socket is resumed');
  request.part('c', true);
  assert.deepEqual(request.calls, ['a', 'b', 'c.']);
});

test('failed authentication is reported once, and the body is not read', async () => {
  const request = new Request();
  request.part('a');
  request.authenticate('unauthorized');
  await turn();
  request.part('b', true);
  request.abort();
  assert.deepEqual(request.calls, ['aborted', 'unauthorized'], 'the reader, then the sender');
  assert(!request.paused, 'the connection may carry another request');
});

test('a client that disconnects earlier gets no response; the reader is aborted once', async () => {
  for (const auth of [SENDER, 'unauthorized'] as const) {
    const request = new Request();
    request.part('a', true);
    request.abort();
    request.authenticate(auth);
    await turn();
    assert.deepEqual(request.calls, ['aborted']);
  }
});

test('the reader is aborted when a client disconnects after authentication', async () => {
  const request = new Request();
  request.part('a', true);
  request.authenticate(SENDER);
  await turn();
  request.abort();
  assert.deepEqual(request.calls, ['a.', 'aborted']);
});

test('an error thrown by the reader is reported', async () => {
  const request = new Request();
  request.part('throw', true);
  request.authenticate(SENDER);
  await turn();
  assert.deepEqual(request.calls, ['Error: thrown']);
});

test('chunks are charged until authentication completes, no longer', async () => {
  const request = new Request();
  request.part('abc');
  request.part('de');
  assert.equal(request.memory.bytes, 5 + 2 * LIMITS.chunkOverheadBytes, 'chunks may be short');
  request.authenticate(SENDER);
  await turn();
  assert.equal(request.memory.bytes, 0);
  for (const end of ['unauthorized', 'abort'] as const) {
    const other = new Request();
    other.part('abc');
    if (end === 'abort') other.abort();
    else other.authenticate(end);
    await turn();
    assert.equal(other.memory.bytes, 0, end);
  }
});

test('eviction is reported once, whatever authentication returns, and the body is not read', async () => {
  const request = new Request();
  request.part('0123456789');
  request.part('a', true);
  request.part('b', true);
  request.authenticate(SENDER);
  await turn();
  assert.deepEqual(request.calls, ['aborted', 'evicted']);
  assert.deepEqual([request.memory.bytes, request.paused], [0, false]);
});

test('a flood of tiny chunks is detected before authentication', () => {
  const request = new Request();
  request.turn.spent = true;
  for (let chunk = 0; chunk <= LIMITS.spentChunks.count; chunk++) request.part('');
  assert.deepEqual(request.calls, ['aborted', 'evicted']);
  const roomy = new Request(MIB);
  roomy.turn.spent = true;
  for (let chunk = 0; chunk <= LIMITS.spentChunks.count; chunk++) roomy.part('');
  assert.deepEqual(roomy.calls, ['flooded']);
});

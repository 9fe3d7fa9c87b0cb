import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { LIMITS, MIB } from '../../../../src/config/limits.ts';
import {
  ANONYMOUS,
  type AuthResult,
  type Identity,
} from '../../../../src/worker/admission/identity.ts';
import { DeferredBody } from '../../../../src/worker/ingress/http/deferred-body.ts';
import { ChunkFloodDetector } from '../../../../src/worker/overload/flood.ts';
import { InputMemory } from '../../../../src/worker/overload/input-memory.ts';
import { FakeResponse } from '../../../fakes/uws.ts';

/** A request whose parts and verdict come when the test says so. */
class Request extends FakeResponse {
  /** Who was let in. */
  sender: Identity | undefined;
  readonly heard: string[] = [];
  /** By default for two chunks of 5 bytes together. */
  readonly memory: InputMemory;
  decide!: (verdict: AuthResult) => void;

  readonly turn = { spent: false, number: 1, spend: () => !this.turn.spent };

  constructor(memoryBytes = 5 + 2 * LIMITS.chunkOverheadBytes) {
    super();
    this.memory = new InputMemory(memoryBytes);
    const verdict = new Promise<AuthResult>((resolve) => {
      this.decide = resolve;
    });
    const body = new DeferredBody(this, verdict, this.memory, new ChunkFloodDetector(this.turn), {
      authenticated: (sender) => {
        this.sender = sender;
      },
      rejected: (code) => this.heard.push(code),
      evicted: () => this.heard.push('evicted'),
      flooded: () => this.heard.push('flooded'),
      failed: (error) => this.heard.push(String(error)),
    });
    body.onAborted(() => this.heard.push('aborted'));
    body.onData((chunk, isLast) => {
      const text = Buffer.from(chunk).toString();
      if (text === 'throw') throw new Error('thrown');
      this.heard.push(isLast ? `${text}.` : text);
    });
  }

  part(text: string, isLast = false): void {
    this.deliver(text, isLast);
  }
}

test('nothing is read before its sender is let in; then what came comes in its order', async () => {
  const request = new Request();
  assert(request.paused, 'the socket is read no further');
  request.part('a');
  request.part('b');
  await turn();
  assert.deepEqual(request.heard, []);
  request.decide(ANONYMOUS);
  await turn();
  assert.deepEqual(request.heard, ['a', 'b']);
  assert(!request.paused, 'the socket is read on');
  request.part('c', true);
  assert.deepEqual(request.heard, ['a', 'b', 'c.']);
});

test('who is not let in is told so once, and none of the body is read', async () => {
  const request = new Request();
  request.part('a');
  request.decide('unauthorized');
  await turn();
  request.part('b', true);
  request.abort();
  assert.deepEqual(request.heard, ['aborted', 'unauthorized'], 'the reader, then the sender');
  assert(!request.paused, 'the connection may carry another request');
});

test('who goes away before is not answered; the reader hears of it once', async () => {
  for (const verdict of [ANONYMOUS, 'unauthorized'] as const) {
    const request = new Request();
    request.part('a', true);
    request.abort();
    request.decide(verdict);
    await turn();
    assert.deepEqual(request.heard, ['aborted']);
  }
});

test('the reader of a body hears of who goes away after he was let in', async () => {
  const request = new Request();
  request.part('a', true);
  request.decide(ANONYMOUS);
  await turn();
  request.abort();
  assert.deepEqual(request.heard, ['a.', 'aborted']);
});

test('what a reader throws is told', async () => {
  const request = new Request();
  request.part('throw', true);
  request.decide(ANONYMOUS);
  await turn();
  assert.deepEqual(request.heard, ['Error: thrown']);
});

test('what is kept until the verdict is charged, and no longer', async () => {
  const request = new Request();
  request.part('abc');
  request.part('de');
  assert.equal(request.memory.bytes, 5 + 2 * LIMITS.chunkOverheadBytes, 'chunks may be short');
  request.decide(ANONYMOUS);
  await turn();
  assert.equal(request.memory.bytes, 0);
  for (const end of ['unauthorized', 'abort'] as const) {
    const other = new Request();
    other.part('abc');
    if (end === 'abort') other.abort();
    else other.decide(end);
    await turn();
    assert.equal(other.memory.bytes, 0, end);
  }
});

test('one that is evicted is told so once, whatever the verdict, and nothing of it is read', async () => {
  const request = new Request();
  request.part('0123456789');
  request.part('a', true);
  request.part('b', true);
  request.decide(ANONYMOUS);
  await turn();
  assert.deepEqual(request.heard, ['aborted', 'evicted']);
  assert.deepEqual([request.memory.bytes, request.paused], [0, false]);
});

test('a flood of tiny chunks is found before it is known who sends it', () => {
  const request = new Request();
  request.turn.spent = true;
  for (let chunk = 0; chunk <= LIMITS.spentChunks.count; chunk++) request.part('');
  assert.deepEqual(request.heard, ['aborted', 'evicted']);
  const roomy = new Request(MIB);
  roomy.turn.spent = true;
  for (let chunk = 0; chunk <= LIMITS.spentChunks.count; chunk++) roomy.part('');
  assert.deepEqual(roomy.heard, ['flooded']);
});

/**
 * Responses over TLS, where `writableLength` is updated in the next turn of the loop, so that a
 * response may precede it: the server is a thread, and this one blocks until it has answered.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { WatchedSocket } from '../../../src/worker/producer/socket.ts';
import { Authority } from '../../../testing/certificates.ts';
import { missingTool } from '../../../testing/tools.ts';
import { until } from '../../../testing/wait.ts';

/** Answers each chunk that it reads, and counts its answers in `answers`. */
const SERVER = `
  const { parentPort, workerData: { cert, key, answers } } = require('node:worker_threads');
  const server = require('node:tls').createServer({ cert, key }, (socket) => {
    socket.on('error', () => {}).on('data', () => socket.write(Buffer.from([0, 0, 0, 4, 1, 2, 3, 4]), () => {
      Atomics.add(answers, 0, 1);
      Atomics.notify(answers, 0);
    }));
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;
const STILL_MS_MAX = 5_000;

describe('a watched socket with TLS', { skip: missingTool('openssl') }, () => {
  let authority: Authority;
  const answers = new Int32Array(new SharedArrayBuffer(4));
  let server: Worker;
  let port: number;
  before(async () => {
    authority = new Authority();
    const { certFile, keyFile } = authority.issue('broker');
    const files = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
    server = new Worker(SERVER, { eval: true, workerData: { ...files, answers } });
    [port] = (await once(server, 'message')) as [number];
  });
  after(() => server.terminate());

  async function connect(): Promise<WatchedSocket> {
    const watched = new WatchedSocket(() => {});
    const ssl = { ca: authority.ca };
    const socket = watched.factory({ host: 'localhost', port, ssl, onConnect: () => {} });
    socket.on('data', () => {}).on('error', () => {});
    await once(socket, 'secureConnect');
    return watched;
  }

  for (const [phase, later] of [
    ['a timer', (act: () => void) => setTimeout(act, 1)],
    ['an immediate', (act: () => void) => setImmediate(act)],
  ] as const) {
    test(`accepts a response that arrives in the turn of its request, sent by ${phase}`, async () => {
      const watched = await connect();
      let early = 0;
      for (let count = 1; count <= 10; count++) {
        const answer = await new Promise<Buffer>((resolve, reject) => {
          later(() => {
            const before = Atomics.load(answers, 0);
            watched.request([Buffer.from('request')], resolve);
            // The rest of this turn takes longer than the broker.
            if (Atomics.wait(answers, 0, before, STILL_MS_MAX) !== 'timed-out') early++;
            setTimeout(() => reject(new Error(watched.failure)), STILL_MS_MAX).unref();
          });
        });
        assert.deepEqual([...answer], [1, 2, 3, 4]);
      }
      assert.equal(watched.endReason, undefined);
      assert.equal(early, 10, 'answered while this thread was blocked');
      watched.end('closed');
    });
  }

  test('rejects a response to a request that has not left', async () => {
    const watched = await connect();
    let taken = 0;
    // Its first chunk is answered, and all others.
    watched.request([Buffer.alloc(32 * 2 ** 20)], () => taken++);
    await until(() => !watched.alive, { what: 'the end of the connection' });
    assert.deepEqual([watched.endReason, taken], ['bad_response', 0]);
  });
});

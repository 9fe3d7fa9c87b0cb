import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { LIMITS } from '../../../src/config/limits.ts';
import { BASE_TIMEOUTS } from '../../../src/worker/producer/adaptive-timeouts.ts';
import { Link, LinkError, type LinkOptions } from '../../../src/worker/producer/link.ts';
import {
  decodeInitProducerId,
  INIT_PRODUCER_ID,
  initProducerIdBody,
} from '../../../src/worker/producer/protocol.ts';
import { PATIENCE_MS } from '../../../testing/wait.ts';
import { type Answer, API, startBroker } from '../../fakes/scripted-broker.ts';
import { destroyServers, TcpServer } from '../../fakes/tcp-server.ts';
import { Encoder } from '../kafkajs-protocol.ts';

const OPTIONS: LinkOptions = {
  clientId: 'forebay-test',
  ssl: undefined,
  sasl: undefined,
  logger: pino({ level: 'silent' }),
};
const withSasl = (): LinkOptions => ({
  ...OPTIONS,
  sasl: { mechanism: 'plain', username: 'u', password: 'p' },
});

const PRODUCER_ID = new Encoder().writeInt32(0).writeInt16(0).writeInt64(77).writeInt16(0).buffer;

function ask(link: Link, times = BASE_TIMEOUTS): Promise<{ producerId: bigint }> {
  return link.request(INIT_PRODUCER_ID, initProducerIdBody(), decodeInitProducerId, times);
}

/** Asserts a LinkError with this reason, and that the link is unusable afterwards. */
async function fails(
  link: Link,
  work: Promise<unknown>,
  why: LinkError['why'],
): Promise<LinkError> {
  const error = await work.then(
    () => assert.fail('it should have failed'),
    (reason: unknown) => reason,
  );
  assert(error instanceof LinkError, String(error));
  assert.equal(error.why, why, error.message);
  assert.equal(link.usable, false);
  assert.equal(link.idle, false);
  return error;
}

/** Opens a link to a broker with these answers, and passes both to `work`. */
async function withLink(answer: Answer, work: (link: Link, server: TcpServer) => Promise<void>) {
  const server = await startBroker(answer);
  const link = new Link(server.address, OPTIONS);
  await link.open(BASE_TIMEOUTS);
  assert.equal(link.idle, true);
  await work(link, server);
  link.close();
  await server.closed();
}

/** SASL broker: accepts the mechanism, and delegates authentication to `login`. */
const saslBroker = (login: Answer) =>
  startBroker((request) => {
    if (request.apiKey === API.saslAuthenticate) login(request);
    else request.respond(new Encoder().writeInt16(0).writeArray([mechanism()]).buffer);
  });
const SESSION_MS = 500;
/** Waits until a session has to be renewed, and a little longer. */
const untilRenewal = () => sleep(SESSION_MS * (1 - LIMITS.session.share) + 20);
/** SASL broker with short sessions. */
const shortSessions = (logins: number[], answer: Answer) =>
  startBroker((request) => {
    const { apiKey, apiVersion, respond } = request;
    if (apiKey === API.initProducerId) return answer(request);
    if (apiKey !== API.saslAuthenticate) {
      return respond(new Encoder().writeInt16(0).writeArray([mechanism()]).buffer);
    }
    logins.push(apiVersion);
    const session = new Encoder().writeInt16(0).writeString(null).writeBytes(Buffer.alloc(0));
    respond(session.writeInt64(SESSION_MS).buffer);
  });
const mechanism = () => new Encoder().writeString('PLAIN');

describe('links', { concurrency: true, timeout: PATIENCE_MS }, () => {
  after(destroyServers);

  describe('opening one', { concurrency: true }, () => {
    test('fails with connection when nothing is listening', async () => {
      const server = await TcpServer.start(() => {});
      const { address } = server;
      await server.closed();
      const link = new Link(address, OPTIONS);
      await fails(link, link.open(BASE_TIMEOUTS), 'connection');
    });

    test('fails with connection when the peer closes or resets', async () => {
      for (const method of ['end', 'resetAndDestroy', 'destroy'] as const) {
        const server = await TcpServer.start((socket) => socket.resume()[method]());
        const link = new Link(server.address, OPTIONS);
        await fails(link, link.open(BASE_TIMEOUTS), 'connection');
        await server.closed();
      }
    });

    test('fails with connect_timeout without a response, in time', async () => {
      const server = await TcpServer.start((socket) => socket.resume());
      const link = new Link(server.address, OPTIONS);
      const startedMs = performance.now();
      await fails(link, link.open(BASE_TIMEOUTS), 'connect_timeout');
      const tookMs = performance.now() - startedMs;
      assert(
        tookMs >= BASE_TIMEOUTS.connectMs - 5 && tookMs < BASE_TIMEOUTS.connectMs + 10_000,
        `${tookMs} ms`,
      );
      await server.closed();
    });

    test('fails with connect_timeout when TLS or authentication exceeds its timeout', async () => {
      const server = await TcpServer.start((socket) => socket.resume());
      for (const [options, times] of [
        [
          { ...OPTIONS, ssl: {} },
          { ...BASE_TIMEOUTS, handshakeMs: 80 },
        ],
        [OPTIONS, { ...BASE_TIMEOUTS, handshakeMs: 50, connectMs: 80 }],
      ] as const) {
        const link = new Link(server.address, options);
        const startedMs = performance.now();
        await fails(link, link.open(times), 'connect_timeout');
        const tookMs = performance.now() - startedMs;
        assert(tookMs >= 75 && tookMs < BASE_TIMEOUTS.handshakeMs, `${tookMs} ms`);
      }
      await server.closed();
    });

    test('fails with bad_response when the peer is not Kafka', async () => {
      for (const answer of [
        'HTTP/1.1 400 Bad Request\r\n\r\n',
        Buffer.of(0, 0, 0, 2, 1, 2),
        Buffer.of(0xff, 0xff, 0xff, 0xff),
      ]) {
        const server = await TcpServer.start((socket) =>
          socket.once('data', () => socket.write(answer)),
        );
        const link = new Link(server.address, OPTIONS);
        await fails(link, link.open(BASE_TIMEOUTS), 'bad_response');
        await server.closed();
      }
    });

    test('fails, and leaves nothing open, when the versions cannot be decoded', async () => {
      const server = await TcpServer.start((socket) => {
        socket.once('data', () => socket.write(Buffer.of(0, 0, 0, 5, 0, 0, 0, 0, 9)));
      });
      const link = new Link(server.address, OPTIONS);
      await fails(link, link.open(BASE_TIMEOUTS), 'connection');
      await server.closed();
    });

    test('fails with configuration when the broker rejects the credentials', async () => {
      const refusal = new Encoder()
        .writeInt16(58)
        .writeString('Authentication failed: Invalid username or password')
        .writeBytes(Buffer.alloc(0))
        .writeInt64(0).buffer;
      const server = await saslBroker(({ respond, socket }) => {
        respond(refusal);
        setTimeout(() => socket.end(), 20);
      });
      const link = new Link(server.address, withSasl());
      const error = await fails(link, link.open(BASE_TIMEOUTS), 'configuration');
      assert.match(error.message, /Invalid username or password/);
      await server.closed();
    });

    test('fails with configuration when the broker does not support the mechanism', async () => {
      const server = await startBroker(({ respond }) => {
        respond(new Encoder().writeInt16(33).writeArray([]).buffer);
      });
      const link = new Link(server.address, withSasl());
      await fails(link, link.open(BASE_TIMEOUTS), 'configuration');
      await server.closed();
    });

    test('does not fail with configuration when the connection is lost during authentication', async () => {
      for (const method of ['end', 'resetAndDestroy', 'destroy'] as const) {
        const server = await saslBroker(({ socket }) => socket[method]());
        const link = new Link(server.address, withSasl());
        await fails(link, link.open(BASE_TIMEOUTS), 'connection');
        await server.closed();
      }
    });

    test('fails although kafkajs reports nothing: a reset during authentication with an old broker', async () => {
      const takeMechanism: Answer = ({ respond, socket }) => {
        respond(new Encoder().writeInt16(0).writeArray([mechanism()]).buffer);
        socket.removeAllListeners('data').once('data', () => socket.resetAndDestroy());
      };
      const server = await startBroker(takeMechanism, [API.saslAuthenticate]);
      const link = new Link(server.address, withSasl());
      await fails(link, link.open(BASE_TIMEOUTS), 'connection');
      await server.closed();
    });

    test('fails with closed when it is closed meanwhile, at once or later', async () => {
      for (const isLater of [false, true]) {
        const server = await TcpServer.start((socket) => socket.resume());
        const link = new Link(server.address, OPTIONS);
        const startedMs = performance.now();
        const opening = link.open(BASE_TIMEOUTS);
        if (isLater) setTimeout(() => link.close(), 30);
        else link.close();
        await fails(link, opening, 'closed');
        assert(performance.now() - startedMs < BASE_TIMEOUTS.connectMs / 2, 'at once');
        await server.closed();
      }
    });
  });

  describe('a request', { concurrency: true }, () => {
    test('is answered, in sequence on the same connection', async () => {
      const seen: unknown[] = [];
      await withLink(
        ({ apiKey, apiVersion, clientId, respond }) => {
          seen.push([apiKey, apiVersion, clientId]);
          respond(PRODUCER_ID);
        },
        async (link, server) => {
          for (let count = 0; count < 3; count++) assert.equal((await ask(link)).producerId, 77n);
          assert.equal(link.idle, true);
          assert.equal(server.sockets.length, 1);
          assert.deepEqual(seen, new Array(3).fill([API.initProducerId, 0, 'forebay-test']));
        },
      );
    });

    test('is sent only when no other is in flight', async () => {
      await withLink(
        ({ respond }) => setTimeout(() => respond(PRODUCER_ID), 30),
        async (link) => {
          const first = ask(link);
          assert.equal(link.idle, false);
          await assert.rejects(ask(link), LinkError);
          assert.equal((await first).producerId, 77n, 'the first one is not affected');
        },
      );
    });

    test('fails with guard when the broker stops responding', async () => {
      await withLink(
        () => {},
        async (link) => {
          const startedMs = performance.now();
          await fails(link, ask(link), 'guard');
          const tookMs = performance.now() - startedMs;
          assert(
            tookMs >= BASE_TIMEOUTS.guardMs && tookMs < BASE_TIMEOUTS.requestMs,
            `${tookMs} ms`,
          );
        },
      );
    });

    test('uses its timeouts: the guard, and the request timeout while data arrives', async () => {
      await withLink(
        () => {},
        async (link) => {
          const startedMs = performance.now();
          await fails(link, ask(link, { ...BASE_TIMEOUTS, guardMs: 60 }), 'guard');
          assert(performance.now() - startedMs < BASE_TIMEOUTS.guardMs, 'not the initial timeouts');
        },
      );
      await withLink(
        ({ socket }) => {
          const header = Buffer.of(0, 0, 1, 0);
          socket.write(header);
          const trickle = setInterval(() => socket.write('x'), 10);
          socket.once('close', () => clearInterval(trickle));
        },
        async (link) => {
          const times = { ...BASE_TIMEOUTS, guardMs: 60, requestMs: 240 };
          await fails(link, ask(link, times), 'request_timeout');
        },
      );
    });

    test('fails with connection when the broker resets or closes', async () => {
      for (const method of ['end', 'resetAndDestroy', 'destroy'] as const) {
        await withLink(
          ({ socket }) => socket[method](),
          async (link) => {
            await fails(link, ask(link), 'connection');
            await fails(link, ask(link), 'connection');
          },
        );
      }
    });

    test('fails when the response is truncated, and closes the connection', async () => {
      await withLink(
        ({ respond }) => respond(PRODUCER_ID.subarray(0, 9)),
        async (link) => {
          await fails(link, ask(link), 'connection');
        },
      );
    });

    test('fails with bad_response on garbage', async () => {
      await withLink(
        ({ socket }) => socket.write('garbage instead of a length'),
        async (link) => {
          await fails(link, ask(link), 'bad_response');
        },
      );
    });

    test('fails with bad_response at once for another correlation id', async () => {
      await withLink(
        ({ socket }) => socket.write(Buffer.of(0, 0, 0, 8, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0)),
        async (link) => {
          await fails(link, ask(link), 'bad_response');
        },
      );
    });

    test('reauthenticates before it when the session is about to expire, and not earlier', async () => {
      const logins: number[] = [];
      const server = await shortSessions(logins, ({ respond }) => respond(PRODUCER_ID));
      const link = new Link(server.address, withSasl());
      await link.open(BASE_TIMEOUTS);
      for (let sessions = 1; sessions <= 3; sessions++) {
        assert.equal((await ask(link)).producerId, 77n);
        assert.equal(logins.length, sessions);
        await untilRenewal();
      }
      link.close();
      await server.closed();
    });

    test('fails after a reauthentication as it does without', {
      timeout: PATIENCE_MS,
    }, async () => {
      const ends: readonly [Answer, LinkError['why']][] = [
        [({ socket }) => socket.end(), 'connection'],
        [({ socket }) => socket.destroy(), 'connection'],
        [({ socket }) => socket.resetAndDestroy(), 'connection'],
        [() => {}, 'guard'],
      ];
      for (const [answer, why] of ends) {
        const logins: number[] = [];
        const server = await shortSessions(logins, answer);
        const link = new Link(server.address, withSasl());
        await link.open(BASE_TIMEOUTS);
        await untilRenewal();
        await fails(link, ask(link, { ...BASE_TIMEOUTS, guardMs: 300 }), why);
        assert.equal(logins.length, 2, 'it has reauthenticated');
        await server.closed();
      }
    });

    test('fails with closed when the link is closed', async () => {
      await withLink(
        () => {},
        async (link) => {
          const asked = ask(link);
          setTimeout(() => link.close(), 20);
          await fails(link, asked, 'closed');
        },
      );
    });

    test('a connection that ends between requests makes the link unusable', async () => {
      await withLink(
        ({ respond }) => respond(PRODUCER_ID),
        async (link, server) => {
          await ask(link);
          server.sockets[0]!.end();
          await once(server.sockets[0]!, 'close');
          assert.equal(link.usable, false);
        },
      );
    });
  });
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import kafkajs from 'kafkajs';
import { StartError } from '../../src/common/errors.ts';
import { readConfig } from '../../src/config/config.ts';
import {
  bootstrapOptions,
  formatBrokerAddress,
  parseBrokerAddress,
  unmaskBroker,
} from '../../src/kafka/broker-address.ts';

const servers: net.Server[] = [];
after(() => {
  for (const server of servers) server.close();
});

/** Addresses as in KAFKA_BROKERS, and as sockets take them. */
const TAKEN: readonly (readonly [text: string, host: string, port: number])[] = [
  ['127.0.0.1:9092', '127.0.0.1', 9092],
  ['kafka-1.example_net:1', 'kafka-1.example_net', 1],
  ['[::1]:9092', '::1', 9092],
  ['[2001:DB8::A]:65535', '2001:DB8::A', 65_535],
  ['[2001:db8:0:0:0:0:0:1]:9092', '2001:db8:0:0:0:0:0:1', 9092],
  ['[::ffff:127.0.0.1]:9092', '::ffff:127.0.0.1', 9092],
  ['[fe80::1%eth0]:9092', 'fe80::1%eth0', 9092],
];

test('names, IPv4 addresses and IPv6 addresses in brackets are parsed and formatted alike', () => {
  for (const [text, host, port] of TAKEN) {
    const address = parseBrokerAddress(text);
    assert.deepEqual(address, { host, port }, text);
    assert.equal(formatBrokerAddress(address!), text);
  }
  const all = TAKEN.map(([text]) => text);
  assert.deepEqual(readConfig({ KAFKA_BROKERS: all.join(' , ') }).kafkaBrokers, all);
});

test('empty entries are skipped, and a duplicate broker is used once', () => {
  const brokers = (text: string) => readConfig({ KAFKA_BROKERS: text }).kafkaBrokers;
  for (const text of ['a:1,b:2,', ',a:1,b:2', 'a:1,,b:2', 'a:1, ,b:2\n', 'a:1,b:2,a:1, b:2']) {
    assert.deepEqual(brokers(text), ['a:1', 'b:2'], JSON.stringify(text));
  }
  for (const text of [',', ' ', ' , ,']) assert.throws(() => brokers(text), /host:port pairs/);
});

const HOST_PORT = 'must be host:port pairs separated by commas';
const BRACKETS = `${HOST_PORT}, IPv6 addresses in brackets like [::1]:9092`;
const PORT = `${HOST_PORT}, each with a port like localhost:9092`;
const RANGE = `${HOST_PORT}, ports from 1 to 65535`;
const SEPARATOR = `${HOST_PORT} instead of spaces or semicolons`;
const REJECTED: readonly (readonly [text: string, expected: string])[] = [
  ['::1:9092', BRACKETS],
  ['2001:db8::1', BRACKETS],
  ['[::1]', PORT],
  ['[::1]:', PORT],
  ['[::1]:0', RANGE],
  ['[::1]:65536', RANGE],
  ['[::1]9092', BRACKETS],
  ['[:::1]:9092', BRACKETS],
  ['[127.0.0.1]:9092', BRACKETS],
  ['[kafka]:9092', BRACKETS],
  ['[::1:9092', BRACKETS],
  ['[fe80::1%]:9092', BRACKETS],
  ['kafka', PORT],
  ['kafka:', PORT],
  ['127.0.0.1', PORT],
  ['localhost:0', RANGE],
  ['localhost:65536', RANGE],
  ['localhost:99999', RANGE],
  ['localhost:123456789', RANGE],
  ['localhost:9092 localhost:9093', SEPARATOR],
  ['localhost:9092  localhost:9093', SEPARATOR],
  ['localhost:9092;localhost:9093', SEPARATOR],
  ['[::1]:9092 [::1]:9093', SEPARATOR],
  ['http://localhost:9092', `${HOST_PORT}, without http://`],
  ['http://localhost', `${HOST_PORT}, without http://`],
  ['SASL_PLAINTEXT://[::1]:9092', `${HOST_PORT}, without SASL_PLAINTEXT://`],
  ["'kafka:9092'", `${HOST_PORT}, without quotes`],
  ['“kafka:9092”', `${HOST_PORT}, without quotes`],
  ['kafka:port', HOST_PORT],
  [':9092', HOST_PORT],
];

test('any other address is rejected, and the error names the problem', () => {
  for (const [text, expected] of REJECTED) {
    for (const setting of [text, `a:1,${text}`, `[::1]:9092,${text}`]) {
      assert.throws(
        () => readConfig({ KAFKA_BROKERS: setting }),
        (error: unknown) => {
          assert(error instanceof StartError);
          assert.equal(
            error.message.split('\n')[1]?.trim(),
            `KAFKA_BROKERS ${expected}, not "${setting}"`,
          );
          return true;
        },
      );
    }
  }
});

test('kafkajs gets no colon of an IPv6 address, and its sockets the address itself', async (t) => {
  const server = net.createServer((socket) => socket.end());
  servers.push(server);
  const listening = once(server, 'listening');
  server.listen(0, '::1').on('error', () => t.skip('this machine has no IPv6 loopback'));
  await Promise.race([listening, once(server, 'error')]);
  if (!server.listening) return;
  const { port } = server.address() as AddressInfo;
  const given = ['a:1', `[::1]:${port}`, '[fe80::1%wlp-3s0]:2', '[2001:DB8::]:3'];
  const { brokers, socketFactory } = bootstrapOptions(given);
  assert.deepEqual((brokers as string[]).map(unmaskBroker), given, 'log lines have the addresses');
  assert.deepEqual(
    (brokers as string[]).map((broker) => broker.split(':').length),
    [2, 2, 2, 2],
    'each splits into host and port',
  );
  const [host, ...rest] = (brokers as string[])[1]!.split(':');
  assert.deepEqual(rest, [String(port)]);
  for (const name of [host!, '::1']) {
    const connected = once(server, 'connection');
    const socket = socketFactory!({ host: name, port, ssl: {}, onConnect: () => {} } as never);
    socket.on('error', () => {});
    await connected;
    socket.destroy();
  }
});

const STRANGE: readonly (readonly [what: string, answer: Buffer])[] = [
  ['zeros', Buffer.alloc(16)],
  ['a length below that of a response', Buffer.from([0, 0, 0, 3, 1, 2, 3])],
  ['a negative length', Buffer.from('ffffffff00000000', 'hex')],
  ['the least length', Buffer.from('8000000000000000', 'hex')],
  ['an answer to no request', Buffer.from('00000004000003e7', 'hex')],
  ['an answer that ends too early', Buffer.from('0000000400000000', 'hex')],
  ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['a TLS alert', Buffer.from('15030300020246', 'hex')],
];

for (const [what, answer] of STRANGE) {
  test(`a peer that responds with ${what}: the request of kafkajs fails, and the process continues`, async () => {
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', () => socket.write(answer));
    });
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const options = { logLevel: 0, connectionTimeout: 2_000, requestTimeout: 2_000 };
    const kafka = new kafkajs.Kafka({
      ...bootstrapOptions([`127.0.0.1:${port}`]),
      ...options,
      retry: { retries: 0 },
    });
    const admin = kafka.admin();
    await assert.rejects(admin.connect());
    await admin.disconnect();
  });
}

/** A real Kafka on the IPv6 loopback: literals in KAFKA_BROKERS and advertised literals. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { type KafkaCluster, startCluster } from '../../deploy/kafka/cluster.ts';
import { freePorts } from '../../deploy/kafka/ports.ts';
import { good } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { startGateway } from '../../testing/gateway.ts';
import { uniqueTopic } from '../../testing/kafka.ts';
import { PATIENCE_MS } from '../../testing/wait.ts';
import { logged, untilLogged } from '../../testing/watch.ts';

async function hasIPv6(): Promise<boolean> {
  const server = net.createServer();
  server.listen(0, '::1');
  const opened = await once(server, 'listening').then(
    () => true,
    () => false,
  );
  server.close();
  return opened;
}

const skip = (await hasIPv6()) ? false : 'this machine has no IPv6 loopback';

describe('Kafka on [::1]', { skip }, () => {
  let cluster: KafkaCluster;
  let port: number;
  before(async () => {
    const [broker, controller, ipv6] = await freePorts(3);
    port = ipv6!;
    const plain = `PLAINTEXT://127.0.0.1:${broker}`;
    cluster = await startCluster({
      ports: [broker!],
      overrides: {
        listeners: `${plain},CONTROLLER://127.0.0.1:${controller},V6://[::1]:${port}`,
        'advertised.listeners': `${plain},V6://[::1]:${port}`,
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,V6:PLAINTEXT',
        'controller.quorum.voters': `1@127.0.0.1:${controller}`,
      },
    });
  });
  after(() => cluster?.close());

  for (const [title, host] of [
    ['[::1]', '[::1]'],
    ['the same address written out', '[0:0:0:0:0:0:0:1]'],
  ] as const) {
    test(`${title}: the topic is created, an event is stored, and listen reads it`, async (t) => {
      const topic = uniqueTopic();
      // An unreachable broker in the list: each user of the setting must skip it.
      const brokers = ['[::1]:1', `${host}:${port}`];
      const gateway = await startGateway({ brokers, topic });
      t.after(() => gateway.kill());
      await untilLogged(gateway, 'topic created');
      const [started] = logged(gateway, 'started');
      assert.deepEqual([started?.topic, started?.brokers], [topic, brokers]);
      const client = await FrameClient.open(gateway.wsUrl);
      assert.deepEqual(await client.exchange(good('over-ipv6')), []);
      await client.close();
      const args = ['dist/main.js', 'listen', '--from', 'beginning', '--count', '1', '--json'];
      const { PATH = '' } = process.env;
      const env = { PATH, KAFKA_BROKERS: brokers.join(), KAFKA_TOPIC: topic };
      const listened = await promisify(execFile)(process.execPath, args, {
        env,
        timeout: PATIENCE_MS,
      });
      assert.match(listened.stdout, /over-ipv6/);
      assert.equal((await gateway.stop()).code, 0);
      assert.deepEqual(gateway.errors, []);
    });
  }
});

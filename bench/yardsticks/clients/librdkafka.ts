/**
 * librdkafka behind uWebSockets.js: its Node.js client with callbacks, which cost less than its
 * promises; librdkafka makes the batches: `librdkafka.ts PORT BROKERS TOPIC`.
 */
import { reportReady } from '../serve.ts';
import { type PeerFrame, serveStoring, stored } from '../storing.ts';
import { LINGER_MS } from './linger.ts';

interface Producer {
  connect(): void;
  setPollInBackground(on: boolean): void;
  produce(
    topic: string,
    partition: null,
    value: Buffer,
    key: string,
    timestamp: null,
    opaque: PeerFrame,
  ): void;
  on(event: 'ready', then: () => void): void;
  on(event: 'event.error', then: (error: Error) => void): void;
  on(
    event: 'delivery-report',
    then: (error: Error | null, report: { readonly opaque: PeerFrame }) => void,
  ): void;
}

/** Not a dependency of Forebay: TypeScript must not resolve it. */
const MODULE: string = '@confluentinc/kafka-javascript';
const { default: client } = (await import(MODULE)) as {
  default: { Producer: new (settings: Readonly<Record<string, unknown>>) => Producer };
};

const [port = '', brokers = '', topic = ''] = process.argv.slice(2);
const producer = new client.Producer({
  'client.id': 'librdkafka',
  'bootstrap.servers': brokers,
  acks: 'all',
  'enable.idempotence': true,
  'linger.ms': LINGER_MS,
  'compression.codec': 'none',
  // As Java clients and the gateway; its default has another hash.
  partitioner: 'murmur2_random',
  // Unlimited: credit limits the events in flight.
  'queue.buffering.max.messages': 0,
  dr_cb: true,
});

producer.on('event.error', ({ message }) => console.error(`librdkafka: ${message}`));
producer.on('delivery-report', (error, { opaque }) => {
  if (error) console.error(`librdkafka: not stored: ${error.message}`);
  else stored(opaque);
});
producer.on('ready', () => {
  producer.setPollInBackground(true);
  serveStoring(Number(port), (key, value, frame) => {
    producer.produce(topic, null, Buffer.from(value), key, null, frame);
  });
  reportReady();
});
producer.connect();

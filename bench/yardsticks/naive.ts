/**
 * Naive implementation: uWebSockets.js, JSON.parse, and kafkajs's idempotent producer with batches
 * of up to 500 every 10 ms; acks after the send: `naive.ts PORT BROKERS TOPIC`.
 */
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { bootstrapOptions } from '../../src/kafka/broker-address.ts';
import type { Peer } from './peer.ts';
import { reportReady, serve } from './serve.ts';

const BATCH_EVERY_MS = 10;
const BATCH_EVENTS_MAX = 500;

interface Message {
  readonly key: string;
  readonly value: string;
  readonly peer: Peer;
  readonly frame: number;
}

const [port = '', brokers = '', topic = ''] = process.argv.slice(2);
const kafka = new Kafka({
  clientId: 'naive',
  ...bootstrapOptions(brokers.split(',')),
  logLevel: logLevel.NOTHING,
});
const producer = kafka.producer({
  idempotent: true,
  createPartitioner: Partitioners.DefaultPartitioner,
});
let waiting: Message[] = [];

serve(Number(port), {
  bounded: false,
  message(peer, bytes) {
    const frame = peer.received(bytes.byteLength);
    const text = Buffer.from(bytes).toString();
    const parsed = JSON.parse(text) as { clientId: string } | { clientId: string }[];
    if (Array.isArray(parsed)) {
      for (const event of parsed) {
        waiting.push({ key: event.clientId, value: JSON.stringify(event), peer, frame });
      }
    } else waiting.push({ key: parsed.clientId, value: text, peer, frame });
  },
});

async function send(messages: readonly Message[]): Promise<void> {
  try {
    const records = messages.map(({ key, value }) => ({ key, value }));
    await producer.send({ topic, acks: -1, messages: records });
  } catch {
    return; // Lost, without an answer.
  }
  // The last frame of each connection acknowledges the previous ones.
  const last = new Map<Peer, number>();
  for (const { peer, frame } of messages) last.set(peer, frame);
  for (const [peer, frame] of last) peer.ack(frame);
}

await producer.connect();
setInterval(() => {
  const messages = waiting;
  waiting = [];
  for (let from = 0; from < messages.length; from += BATCH_EVENTS_MAX) {
    void send(messages.slice(from, from + BATCH_EVENTS_MAX));
  }
}, BATCH_EVERY_MS);
reportReady();

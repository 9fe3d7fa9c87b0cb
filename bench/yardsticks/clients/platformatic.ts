/**
 * `@platformatic/kafka` behind uWebSockets.js. It makes no batches of single events: once per linger
 * everything that waits is sent, after the previous send: `platformatic.ts PORT BROKERS TOPIC`.
 */
import { reportReady } from '../serve.ts';
import { type PeerFrame, serveStoring, stored } from '../storing.ts';
import { LINGER_MS } from './linger.ts';

/** Keeps the batch of a single partition below its limit in Kafka. */
const SEND_EVENTS_MAX = 5_000;

interface Message {
  readonly topic: string;
  readonly key: string;
  readonly value: string;
}
interface Producer {
  send(
    options: { readonly messages: readonly Message[] },
    callback: (error: Error | null) => void,
  ): void;
}

/** Not a dependency of Forebay: TypeScript must not resolve it. */
const MODULE: string = '@platformatic/kafka';
const { Producer, ProduceAcks, stringSerializers } = (await import(MODULE)) as {
  Producer: new (options: Readonly<Record<string, unknown>>) => Producer;
  ProduceAcks: { readonly ALL: number };
  stringSerializers: object;
};

const [port = '', brokers = '', topic = ''] = process.argv.slice(2);
// It then has one request in flight per broker.
const producer = new Producer({
  clientId: 'platformatic',
  bootstrapBrokers: brokers.split(','),
  serializers: stringSerializers,
  acks: ProduceAcks.ALL,
  idempotent: true,
  compression: 'none',
});
let messages: Message[] = [];
let frames: PeerFrame[] = [];
let sending = false;
/** The linger ended during a send. */
let overdue = false;

function send(): void {
  overdue = sending;
  if (sending || messages.length === 0) return;
  const [sent, owners] = [messages.slice(0, SEND_EVENTS_MAX), frames.slice(0, SEND_EVENTS_MAX)];
  messages = messages.slice(SEND_EVENTS_MAX);
  frames = frames.slice(SEND_EVENTS_MAX);
  sending = true;
  // Its promises require Node.js 22, its callbacks do not.
  producer.send({ messages: sent }, (error) => {
    sending = false;
    if (error) console.error(`platformatic: ${sent.length} not stored: ${error.message}`);
    else for (const frame of owners) stored(frame);
    if (overdue || messages.length > SEND_EVENTS_MAX) send();
  });
}

serveStoring(Number(port), (key, value, frame) => {
  messages.push({ topic, key, value });
  frames.push(frame);
});
setInterval(send, LINGER_MS);
reportReady();

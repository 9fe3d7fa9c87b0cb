/**
 * Bare produce: kafkajs sends one record at a time with acks=all, with nothing else in the process:
 * `bare.ts BROKERS TOPIC EVENT_BYTES`. Each command has a duration; the answer has latencies.
 */
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { bootstrapOptions } from '../../src/kafka/broker-address.ts';

export interface BareCommand {
  readonly warmUpMs: number;
  readonly windowMs: number;
}
export type BareAnswer =
  | { readonly is: 'ready' }
  /** Milliseconds. */
  | { readonly is: 'report'; readonly p50: number; readonly p99: number; readonly sends: number };

const [brokers = '', topic = '', eventBytes = ''] = process.argv.slice(2);
const kafka = new Kafka({
  clientId: 'bare',
  ...bootstrapOptions(brokers.split(',')),
  logLevel: logLevel.NOTHING,
});
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
const messages = [{ key: 'bare', value: 'x'.repeat(Number(eventBytes)) }];

async function sendFor(ms: number): Promise<number[]> {
  const found: number[] = [];
  const endMs = performance.now() + ms;
  for (let sinceMs = performance.now(); sinceMs < endMs; sinceMs = performance.now()) {
    await producer.send({ topic, acks: -1, messages });
    found.push(performance.now() - sinceMs);
  }
  return found.sort((a, b) => a - b);
}

process.on('message', async ({ warmUpMs, windowMs }: BareCommand) => {
  await sendFor(warmUpMs);
  const sorted = await sendFor(windowMs);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)]!;
  const report: BareAnswer = { is: 'report', p50: at(0.5), p99: at(0.99), sends: sorted.length };
  process.send!(report);
});
process.on('disconnect', () => process.exit());
await producer.connect();
const ready: BareAnswer = { is: 'ready' };
process.send!(ready);

/** Prints once a second how many events and repeats a topic has had: `count.ts TOPIC`. */
import { Kafka, logLevel } from 'kafkajs';
import { UniqueEvents } from './unique-events.ts';

const HOUR_MS = 3_600_000;
const [topic = ''] = process.argv.slice(2);
const brokers = (process.env.KAFKA_BROKERS ?? 'localhost:9092').split(',');
const events = new UniqueEvents({ allIdsMs: HOUR_MS, markedIdsMs: HOUR_MS, idsMax: 1_000_000 });
const counts = { unique: 0, repeats: 0 };

const kafka = new Kafka({ brokers, logLevel: logLevel.WARN });
const consumer = kafka.consumer({ groupId: `count-${process.pid}` });
await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });
await consumer.run({
  eachMessage: async ({ message }) => {
    if (events.isFirst(message)) counts.unique++;
    else counts.repeats++;
  },
});
setInterval(() => console.log(JSON.stringify(counts)), 1_000);

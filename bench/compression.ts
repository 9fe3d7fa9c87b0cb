/**
 * `make bench-compression`: ratio of each codec for batches of 140-byte events, and its cost on the
 * main thread and on a thread. Needs no Kafka.
 */
import { gzipSync } from 'node:zlib';
import { CODECS, type Codec, loadCodec } from '../src/kafka/compression/codecs.ts';
import { RecordBatch } from '../src/worker/accumulator/batch.ts';
import { BATCH_HEADER_BYTES } from '../src/worker/accumulator/records.ts';
import { ANY_PARTITION, PLAIN_OWNER } from '../testing/batches.ts';
import { table } from './table.ts';

const SIZES_KIB = [1, 16, 64, 256];
const EVENT_BYTES = 140;
/** Several batches, so that caches do not hold the previous round's. */
const BATCHES = 16;
const MEASURED_BYTES = 8 * 2 ** 20;
/** Number of lanes that send at the same time. */
const AT_ONCE = 4;

const WORDS = ['checkout', 'viewed', 'clicked', 'search', 'item', 'cart', 'login', 'page', 'price'];

/** Returns an event as an app might send it: recurring names, varying numbers and ids. */
function eventText(): string {
  const number = (below: number) => Math.floor(Math.random() * below);
  const word = () => WORDS[number(WORDS.length)];
  const event = {
    id: number(2 ** 40).toString(36),
    clientId: `client-${number(5_000)}`,
    timestamp: 1_700_000_000_000 + number(60_000),
    msg: '',
  };
  while (JSON.stringify(event).length < EVENT_BYTES) {
    event.msg += ` ${word()} ${number(10_000)}`;
  }
  const excess = JSON.stringify(event).length - EVENT_BYTES;
  return JSON.stringify({ ...event, msg: event.msg.slice(0, event.msg.length - excess) });
}

/** Returns the records of a batch of about this size. */
function recordsOf(bytes: number): Buffer {
  const batch = new RecordBatch(Buffer.alloc(bytes + 1_024), ANY_PARTITION);
  while (batch.length < bytes) {
    const value = Buffer.from(eventText());
    const key = Buffer.from(`client-${batch.records % 50}`);
    batch.append(1_700_000_000_000 + batch.records, key, 0, key.length, value, 0, value.length);
    batch.addOwner(PLAIN_OWNER, 1, 0, 0, 0);
  }
  return batch.buffer.subarray(BATCH_HEADER_BYTES, batch.length);
}

interface Cost {
  /** Microseconds per batch. */
  readonly cpu: number;
  readonly wall: number;
}

/** Runs `work` repeatedly, including a warm-up before the measurement. */
async function measure(times: number, work: (index: number) => unknown): Promise<Cost> {
  for (let index = 0; index < BATCHES; index++) await work(index);
  const before = process.cpuUsage();
  const startMs = performance.now();
  for (let index = 0; index < times; index++) await work(index);
  const wall = ((performance.now() - startMs) * 1_000) / times;
  const { user, system } = process.cpuUsage(before);
  return { cpu: (user + system) / times, wall };
}

async function mainOnly(name: string, codec: Codec, kib: number): Promise<string[]> {
  const [, size = '', ratio = '', wall = '', cpu = ''] = await rowOf(name, codec, kib);
  return [name, size, ratio, wall, cpu, '', '', ''];
}

async function rowOf(name: string, codec: Codec, kib: number): Promise<string[]> {
  const batches = Array.from({ length: BATCHES }, () => recordsOf(kib * 1_024));
  const batch = (index: number) => batches[index % BATCHES]!;
  const times = Math.max(64, Math.ceil(MEASURED_BYTES / (kib * 1_024)));
  let compressed = 0;
  for (let index = 0; index < BATCHES; index++)
    compressed += codec.compressSync(batch(index)).length;
  const uncompressed = batches.reduce((sum, { length }) => sum + length, 0);
  const here = await measure(times, (index) => codec.compressSync(batch(index)));
  const there = await measure(times / AT_ONCE, (index) =>
    Promise.all(batches.slice(index % AT_ONCE, AT_ONCE + (index % AT_ONCE)).map(codec.compress)),
  );
  const chosen = kib * 1_024 < codec.threadBytes ? 'main' : 'thread';
  const figures = [here.wall, here.cpu, there.wall / AT_ONCE, there.cpu / AT_ONCE];
  const ratio = (uncompressed / compressed).toFixed(2);
  return [name, String(kib), ratio, ...figures.map((value) => value.toFixed(0)), chosen];
}

/** Level of gzip without configuration. */
const GZIP_6: Codec = { ...loadCodec('gzip'), compressSync: (bytes) => gzipSync(bytes) };

const rows: string[][] = [];
for (const kib of SIZES_KIB) rows.push(await mainOnly('gzip 6', GZIP_6, kib));
for (const name of CODECS) {
  try {
    const codec = loadCodec(name);
    for (const kib of SIZES_KIB) rows.push(await rowOf(name, codec, kib));
  } catch (error) {
    console.log((error as Error).message);
  }
}
const head = ['codec', 'KiB', 'ratio', 'main: stall µs', 'CPU µs', 'thread: wall µs', 'CPU µs'];
console.log(`Node.js ${process.versions.node}; per batch of ${EVENT_BYTES}-byte events`);
console.log(table([...head, 'chosen'], rows));

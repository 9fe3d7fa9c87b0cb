/** `listen` as a child process, and topics for it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { Partitioners, type Producer } from 'kafkajs';
import { uniqueTopic } from '../../../testing/kafka.ts';
import { createTopic, testKafka } from '../../../testing/topic.ts';
import { until } from '../../../testing/wait.ts';

const started = new Set<ChildProcess>();

/** Ends those that a failed test has left. */
export function killListeners(): void {
  for (const child of started) child.kill('SIGKILL');
}

export function producerOf(brokers: readonly string[]): Producer {
  return testKafka(brokers).producer({ createPartitioner: Partitioners.DefaultPartitioner });
}

export interface NewTopic {
  readonly brokers: readonly string[];
  readonly topic?: string;
  readonly numPartitions?: number;
  /** The broker compresses records with this codec. */
  readonly compression?: string;
}

/** @returns its name */
export async function newTopic({
  brokers,
  topic = uniqueTopic('listen'),
  numPartitions = 2,
  compression = 'producer',
}: NewTopic): Promise<string> {
  const configEntries = [{ name: 'compression.type', value: compression }];
  await createTopic({ brokers, topic }, { numPartitions, configEntries });
  return topic;
}

export interface Place {
  readonly brokers: readonly string[];
  readonly topic: string;
}

export interface Surroundings {
  readonly env?: Record<string, string>;
  /** A line of bash in which `"$0" "$@"` is the listener. */
  readonly shell?: string;
}

export class Listener {
  out = '';
  err = '';
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;

  constructor({ brokers, topic }: Place, args: string[], { env, shell }: Surroundings = {}) {
    const node = [process.execPath, 'dist/main.js', 'listen', ...args];
    const [file, rest] =
      shell === undefined ? [node[0]!, node.slice(1)] : ['bash', ['-c', shell, ...node]];
    const { NO_COLOR: _, FORCE_COLOR: __, ...surroundings } = process.env;
    const settings = { KAFKA_BROKERS: brokers.join(','), KAFKA_TOPIC: topic, ...env };
    this.child = spawn(file, rest, {
      env: { ...surroundings, ...settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    started.add(this.child);
    this.child.stdout!.setEncoding('utf8').on('data', (data) => {
      this.out += data;
    });
    this.child.stderr!.setEncoding('utf8').on('data', (data) => {
      this.err += data;
    });
    this.exit = new Promise((resolve) => {
      this.child.once('close', (code) => {
        started.delete(this.child);
        resolve(code);
      });
    });
  }

  get lines(): string[] {
    return this.out.split('\n').slice(0, -1);
  }
  async says(pattern: RegExp, times = 1): Promise<void> {
    const found = () => this.err.split('\n').filter((line) => pattern.test(line)).length >= times;
    const what = () => `${pattern}; it says ${this.err} and prints ${this.out}`;
    await until(found, { what });
  }
  async prints(count: number): Promise<void> {
    const what = () => `${count} lines; it says ${this.err} and prints ${this.out}`;
    await until(() => this.lines.length >= count, { what });
  }
}

/**
 * Session of `forebay.v1` with a real gateway, as shown in docs/protocol.md. scripts/transcript.ts
 * writes it there; test/integration/transcript.test.ts compares the two.
 */
import { once } from 'node:events';
import { FrameClient } from './frame-client.ts';
import type { Stage } from './stage.ts';
import { until } from './wait.ts';

/** Settings for the session; none of them changes the frames. */
export const TRANSCRIPT_ENV = {
  // Long enough to kill a worker before it has stored its events.
  KAFKA_LINGER_MS: '1000',
  FOREBAY_DRAIN_SPREAD_MS: '5000',
};

export interface Line {
  /** `>` from the client, `<` from the server, `-` an event of the connection. */
  readonly mark: '>' | '<' | '-';
  readonly text: string;
}

const event = (number: number, msg: string) =>
  JSON.stringify({
    msg,
    clientId: 'till-7',
    timestamp: 1_700_000_000_000 + number,
    id: `${number}`,
  });
const BAD = '{"msg":"no time","clientId":"till-7"}';
/** Number of frames that use half of the window, so that credit rises. */
const MANY = 31;

/** One connection, and its messages so far. */
class Recorded {
  readonly client: FrameClient;
  readonly lines: Line[] = [];
  #received = 0;

  constructor(client: FrameClient) {
    this.client = client;
  }

  /** @param query declares repeats */
  static async open(stage: Stage, query = ''): Promise<Recorded> {
    const recorded = new Recorded(await FrameClient.open(stage.gateway.wsUrl + query));
    const text = `connected to /ws${query}, with the subprotocol forebay.v1`;
    recorded.lines.push({ mark: '-', text });
    return recorded;
  }

  happens(text: string): void {
    this.#listen();
    this.lines.push({ mark: '-', text });
  }

  /** Sends a frame. @returns its number */
  send(text: string): number {
    this.#listen();
    this.lines.push({ mark: '>', text });
    return this.client.send(text);
  }

  async settled(frame: number): Promise<void> {
    await this.client.fate(frame);
    this.#listen();
  }

  async receives(pattern: RegExp): Promise<void> {
    await until(() => this.client.texts.some((text) => pattern.test(text)), { what: `${pattern}` });
    this.#listen();
  }

  /** Waits for the pong of a ping: everything sent before has been read. */
  async arrived(): Promise<void> {
    const ponged = once(this.client.socket, 'pong');
    this.client.socket.ping();
    await ponged;
  }

  async ended(): Promise<void> {
    const { code, reason } = await this.client.ended();
    const why = reason === '' ? 'no close frame: 1006' : `Close ${code} ${reason}`;
    this.happens(`the connection ends: ${why}`);
  }

  #listen(): void {
    const news = this.client.texts.slice(this.#received);
    this.#received += news.length;
    for (const text of news) this.lines.push({ mark: '<', text });
  }
}

/** Runs the session; the stage has {@link TRANSCRIPT_ENV}, and its gateway ends with it. */
export async function recordTranscript(stage: Stage): Promise<readonly Line[]> {
  const first = await Recorded.open(stage);
  await first.settled(first.send(event(1, 'one event')));
  const mixed = [event(2, 'good'), BAD, BAD, event(3, 'good'), '"no object"'];
  await first.settled(first.send(`[${mixed.join(',')}]`));
  let last = 0;
  for (let number = 4; number < 4 + MANY; number++) last = first.send(event(number, 'more'));
  await first.settled(last);
  await first.receives(/^\{"credit"/);
  const open = event(100, 'on its way');
  first.send(open);
  await first.arrived();
  first.happens('the worker is killed');
  for (const worker of stage.gateway.workers()) process.kill(worker, 'SIGKILL');
  await first.ended();

  await workerIsBack(stage);
  const second = await until(() => Recorded.open(stage, '?resent=1'), { what: 'the new worker' });
  await second.settled(second.send(open));
  // Numbers start again on the new connection.
  second.send(event(101, 'on its way'));
  await second.arrived();
  second.happens('the gateway is stopped');
  stage.gateway.signal('SIGTERM');
  await second.ended();
  const violations = [...first.client.violations, ...second.client.violations];
  if (violations.length > 0) throw new Error(violations.join('\n'));
  return [...first.lines, ...second.lines];
}

/** Waits until the replacement of the killed worker knows the topic. */
async function workerIsBack({ gateway }: Stage): Promise<void> {
  await until(async () => {
    const metrics = await gateway.metrics();
    return metrics.value('forebay_worker_restarts_total', { cause: 'crash' }) === 1;
  });
  await gateway.ready();
}

/** Formats the session; client frames that differ only by numbers are shown once. */
export function formatTranscript(lines: readonly Line[]): string {
  const shown: string[] = [];
  for (let index = 0; index < lines.length; index++) {
    const { mark, text } = lines[index]!;
    const same = sameFollowing(lines, index);
    if (same < 2) {
      shown.push(`${mark} ${text}`);
      continue;
    }
    shown.push(`${mark} ${text}`, `  … and ${same} frames like it`);
    index += same;
  }
  return `${shown.join('\n')}\n`;
}

/** Returns the number of following lines with client frames of the same kind. */
function sameFollowing(lines: readonly Line[], index: number): number {
  const kind = ({ mark, text }: Line) => mark + text.replace(/\d+/g, '0');
  let same = 0;
  while (lines[index]!.mark === '>' && index + same + 1 < lines.length) {
    if (kind(lines[index + same + 1]!) !== kind(lines[index]!)) break;
    same++;
  }
  return same;
}

/** Credit of connections whose topics share the budget. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KIB, MIB } from '../../../src/config/limits.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { BudgetShare } from '../../../src/worker/accumulator/budget-share.ts';
import { AckStream } from '../../../src/worker/acknowledger/ack-stream.ts';
import { Credit } from '../../../src/worker/acknowledger/credit.ts';
import { ANONYMOUS } from '../../../src/worker/admission/identity.ts';

const LIMIT = 64 * MIB;
const MAX_FRAME_BYTES = 64 * KIB;
const BODY_BYTES = 16 * KIB;

/** A client of one topic that obeys its credit. Each of its frames has one event. */
class Client {
  readonly #share: BudgetShare;
  readonly #stream: AckStream;
  readonly #dirty: Set<Client>;
  readonly #open: { frame: number; bytes: number }[] = [];
  #bodyBytes = 0;

  constructor(share: BudgetShare, credit: Credit, dirty: Set<Client>) {
    this.#share = share;
    this.#dirty = dirty;
    const channel = { send: () => {}, unreadBytes: () => 0 };
    this.#stream = new AckStream(channel, ANONYMOUS, credit, share, () => this.#dirty.add(this));
    this.#stream.hello();
  }

  flush(): void {
    this.#stream.flush();
  }

  /** Sends a frame, if its credit allows it. @returns whether it did */
  send(bytes: number): boolean {
    const frame = this.#stream.beginFrame(bytes);
    if (frame === undefined) return false;
    assert(this.#share.acceptsFrames && this.#share.charge(bytes), 'buffer_full within credit');
    this.#stream.accepted(frame);
    this.#stream.endFrame(frame);
    this.#open.push({ frame, bytes });
    return true;
  }

  /** Other senders of the topic fill it with bodies until these are paused. */
  press(): void {
    while (!this.#share.underPressure && this.#share.charge(BODY_BYTES)) {
      this.#bodyBytes += BODY_BYTES;
    }
  }

  /** Kafka stores these bodies. */
  relieve(): void {
    this.#share.release(this.#bodyBytes);
    this.#bodyBytes = 0;
  }

  /** Kafka stores up to `count` frames. */
  settle(count: number): void {
    for (const { frame, bytes } of this.#open.splice(0, count)) {
      this.#share.release(bytes);
      this.#stream.settled(frame, [0], 0, 1);
    }
  }
}

test('clients that obey their credit find room, whatever other topics hold', () => {
  const step = fc.record({
    topic: fc.nat(),
    kind: fc.constantFrom('send', 'send', 'settle', 'press', 'relieve', 'flood', 'drain'),
    count: fc.integer({ min: 1, max: 400 }),
    bytes: fc.constantFrom(1, 100, 4 * KIB, 32 * KIB, MAX_FRAME_BYTES),
  });
  const flooded = fc.array(fc.constantFrom(1 / 64, 0.25, 0.5, 1), { maxLength: 2 });
  const steps = fc.array(step, { maxLength: 100 });
  let pressed = 0;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), flooded, steps, (topics, fractions, run) => {
      const budget = new Budget(LIMIT);
      const minBytes = 4 * MAX_FRAME_BYTES;
      const shares = Array.from({ length: topics }, () => new BudgetShare(budget, 0.5, minBytes));
      const floods = fractions.map((fraction) => new BudgetShare(budget, fraction, minBytes));
      const credit = new Credit(budget, MAX_FRAME_BYTES);
      const dirty = new Set<Client>();
      const clients = shares.map((share) => new Client(share, credit, dirty));
      const endTurn = () => {
        for (const client of dirty) {
          dirty.delete(client);
          client.flush();
        }
      };
      for (const { topic, kind, count, bytes } of run) {
        const client = clients[topic % topics]!;
        const flood = floods[topic % Math.max(1, floods.length)];
        if (kind === 'press') client.press();
        if (kind === 'relieve') client.relieve();
        if (kind === 'flood') while (flood?.charge(32 * KIB));
        if (kind === 'drain') flood?.release(flood.usedBytes);
        for (let sent = 0; kind === 'send' && sent < count; sent++) {
          if (!client.send(bytes)) break;
          if (sent % 2 === 0) client.settle(1);
          endTurn();
        }
        if (kind === 'settle') client.settle(count);
        endTurn();
        pressed += shares.filter(({ underPressure }) => underPressure).length;
      }
      // All topics are stuck: senders fill them, and each client uses up its credit, in turns.
      for (const client of clients) client.press();
      for (let open = clients; open.length > 0; ) {
        open = open.filter((client) => client.send(BODY_BYTES));
        endTurn();
      }
    }),
    { numRuns: 100 },
  );
  assert(pressed > 0, 'topics were under pressure');
});

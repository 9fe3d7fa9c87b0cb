/** Throughput of healthy lanes, with and without a stuck one. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../testing/wait.ts';
import { endRigs, type Produced, ProduceRig, type Reply } from './produce-rig.ts';

const TIMEOUT_MS = 60_000;
const STUCK = 0;
const HEALTHY = 1;
/** Broker time for a healthy batch; far above a loop turn of a busy machine. */
const BROKER_MS = 20;
const MEASURED_MS = 3_000;
const RATIO_MIN = 0.9;

const isStuck = ({ partitions }: Produced) => partitions.includes(STUCK);

/** Causes of a stuck partition, and the broker's reply. */
const CAUSES: Readonly<Record<string, (request: Produced) => Reply>> = {
  'is refused at once, NOT_ENOUGH_REPLICAS': () => ({
    codes: { [STUCK]: 19 },
    delayMs: BROKER_MS,
  }),
  'is answered when its ack time-out is over, REQUEST_TIMED_OUT': ({ ackTimeoutMs }) => ({
    codes: { [STUCK]: 7 },
    delayMs: ackTimeoutMs,
  }),
  'keeps the broker from answering': () => ({ instead: 'silence' }),
};

/** Batches of the healthy lane in {@link MEASURED_MS}, each sent after the previous one. */
async function throughput(stuck?: (request: Produced) => Reply): Promise<number> {
  const rig = await ProduceRig.start();
  for (const partition of [STUCK, HEALTHY]) rig.send(partition);
  await rig.storedCount(2);
  rig.reply = (request) =>
    stuck !== undefined && isStuck(request) ? stuck(request) : { delayMs: BROKER_MS };
  rig.onStored = (partition) => rig.send(partition);
  if (stuck !== undefined) rig.send(STUCK);
  rig.send(HEALTHY);
  if (stuck !== undefined) {
    // At first they share requests, since the cause is unknown.
    await until(() => isSeparate(rig), { everyMs: 5, what: 'separate requests' });
  }
  const stuckBefore = rig.requestsWith(STUCK).length;
  const before = rig.stored.length;
  await sleep(MEASURED_MS);
  const batches = rig.stored.length - before;
  if (stuck !== undefined) {
    assert(isStuck(rig.requests[0]!) && rig.requests[2]?.partitions.length === 2, 'together first');
    assert(rig.requestsWith(STUCK).length > stuckBefore, 'the stuck lane keeps retrying');
    assert.equal(rig.stored.filter((value) => value.startsWith(`${STUCK}:`)).length, 1);
  }
  rig.end();
  return batches;
}

/**
 * Whether the stuck lane's last request was its own, and the other's last ones were consecutive.
 */
function isSeparate(rig: ProduceRig): boolean {
  const stuck = rig.requestsWith(STUCK);
  const first = rig.requestsWith(HEALTHY).at(-5);
  const recent = first !== undefined && performance.now() - first.atMs < 25 * BROKER_MS;
  return stuck.length > 2 && stuck.at(-1)!.partitions.length === 1 && recent;
}

after(endRigs);

describe('next to a stuck lane', { concurrency: true, timeout: TIMEOUT_MS }, () => {
  const alone = throughput();

  for (const [name, reply] of Object.entries(CAUSES)) {
    test(`that ${name}, a healthy one keeps its pace`, async (t) => {
      const [batches, batchesAlone] = [await throughput(reply), await alone];
      t.diagnostic(`${batches} batches, ${batchesAlone} without a stuck lane`);
      assert(batchesAlone > 50, 'the measurement is valid');
      assert(batches >= RATIO_MIN * batchesAlone, `${batches} of ${batchesAlone}`);
    });
  }
});

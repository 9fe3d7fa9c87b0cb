/** A stand for the tests of a file. */
import { after, afterEach, before } from 'node:test';
import { sharedKafka } from '../../testing/kafka.ts';
import { Stand } from './stand.ts';
import type { Terminal } from './terminal.ts';

const READY = /"msg":"ready"/;

/** The stand of this test file, once its tests run. */
export let stand: Stand;

/** Opens {@link stand} before the tests of the file; its terminals close after each test. */
export function useStand(): void {
  before(async () => {
    const { brokers } = await sharedKafka();
    stand = await Stand.open(brokers);
  });
  afterEach(() => stand.closeTerminals());
  after(() => stand?.remove());
}

/** Returns a terminal in which this block keeps running, once it has printed `says`. */
export async function serving(block: string, says: RegExp = READY): Promise<Terminal> {
  const terminal = stand.terminal();
  terminal.serve(stand.here(block));
  await terminal.says(says);
  return terminal;
}

import { acknowledgedClients } from '../../testing/load.ts';
import type { World } from './world.ts';

const OPENED_AT_ONCE = 100;

/** Acknowledged clients that connect, connect again when they have to, and send nothing. */
export async function idleClients(world: World, url: string, count: number) {
  const idle: Awaited<ReturnType<typeof acknowledgedClients>> = [];
  while (idle.length < count) {
    const options = { url, reconnect: true, name: `idle-${idle.length}-` };
    const more = Math.min(OPENED_AT_ONCE, count - idle.length);
    idle.push(...(await acknowledgedClients(world, more, options)));
  }
  world.did(`${idle.length} idle connections are open`);
  return idle;
}

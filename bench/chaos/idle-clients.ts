import { acknowledgedClients } from '../../testing/load.ts';
import type { World } from './world.ts';

const OPENED_AT_ONCE = 100;

/** Opens acknowledged clients that reconnect when needed and send nothing. */
export async function idleClients(world: World, url: string, count: number) {
  const idle: Awaited<ReturnType<typeof acknowledgedClients>> = [];
  while (idle.length < count) {
    const options = { url, reconnect: true, name: `idle-${idle.length}-` };
    const more = Math.min(OPENED_AT_ONCE, count - idle.length);
    idle.push(...(await acknowledgedClients(world, more, options)));
  }
  world.logStep(`${idle.length} idle connections opened`);
  return idle;
}

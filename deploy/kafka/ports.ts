import { createServer, type Server } from 'node:net';

// Below the ephemeral ports of Linux, macOS and the BSDs. An ephemeral port is not safe for a
// broker that is killed and restarted: while it is down, a retrying client can get that port as its
// own, connect to itself and keep the broker from binding.
const LOWEST = 20_000;
const HIGHEST = 32_000;
/** Ports that a process tries first: those of other processes that look for some are elsewhere. */
const OWN = 50;
/** Ports tried so far, from the first of {@link OWN} on. */
let tried = Math.floor(Math.random() * OWN);

/** Returns the next port to try: a port is free again until it is bound. */
function nextPort(): number {
  const places = (HIGHEST - LOWEST) / OWN;
  // Once round its own ports, a process goes on with the next ones.
  const place = (process.pid + Math.floor(tried / (2 * OWN))) % places;
  return LOWEST + place * OWN + (tried++ % OWN);
}

function hold(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => resolve(server));
  });
}

function release(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

export async function isFree(port: number): Promise<boolean> {
  const server = await hold(port);
  if (server === undefined) return false;
  await release(server);
  return true;
}

/**
 * Returns distinct free ports of 127.0.0.1: each is held until the last is found. Processes that
 * call it at the same time hardly ever get the same port.
 */
export async function freePorts(count: number): Promise<number[]> {
  const held = new Map<number, Server>();
  while (held.size < count) {
    const port = nextPort();
    if (held.has(port)) continue;
    const server = await hold(port);
    if (server !== undefined) held.set(port, server);
  }
  await Promise.all([...held.values()].map(release));
  return [...held.keys()];
}

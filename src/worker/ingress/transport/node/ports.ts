import type { ListenOptions, Server } from 'node:net';

const BACKLOG = 512;
/** Without a connection for `idleMs`, the primary has none left for this worker. */
const HANDOFF = { idleMs: 50, maxMs: 1_000 } as const;
/** First Node.js versions with `reusePort`. */
const REUSE_PORT = { 22: 12, 23: 1 } as const;

/** Returns whether Node.js lets workers share a port by SO_REUSEPORT. */
export function hasReusePort(platform: string, node: string): boolean {
  const [major = 0, minor = 0] = node.split('.').map(Number);
  if (platform !== 'linux' || major < 22) return false;
  return minor >= (REUSE_PORT[major as keyof typeof REUSE_PORT] ?? 0);
}

const REUSES_PORT = hasReusePort(process.platform, process.versions.node);

/**
 * Listens on a port that all workers share: by SO_REUSEPORT where Node.js offers it, otherwise by
 * the handle that node:cluster opens in the primary.
 */
export function listenShared(
  server: Server,
  host: string,
  port: number,
  done: (server: Server | false) => void,
): void {
  const fail = () => done(false);
  server.once('error', fail);
  const options: ListenOptions = { host, port, backlog: BACKLOG, reusePort: REUSES_PORT };
  server.listen(options, () => {
    server.off('error', fail);
    done(server);
  });
}

/**
 * Stops accepting connections, then calls `closed`. The primary of node:cluster accepts connections
 * for its workers and passes them on one by one; without another worker it would drop the others.
 * So a worker waits until none arrives any more.
 */
export function closeShared(server: Server, closed: () => void): void {
  const close = () => {
    server.close();
    closed();
  };
  if (REUSES_PORT) return close();
  const endMs = performance.now() + HANDOFF.maxMs;
  let hasArrived = false;
  server.on('connection', () => {
    hasArrived = true;
  });
  const idle = setTimeout(() => {
    // A turn that took longer than the timer may have left a connection unread.
    setImmediate(() => {
      if (!hasArrived || performance.now() >= endMs) return close();
      hasArrived = false;
      idle.refresh();
    });
  }, HANDOFF.idleMs);
}

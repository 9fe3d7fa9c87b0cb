import type { ListenOptions, Server } from 'node:net';

const BACKLOG = 512;
/** First Node.js versions with `reusePort`. */
const REUSE_PORT = { 22: 12, 23: 1 } as const;

/** Returns whether Node.js lets workers share a port by SO_REUSEPORT. */
export function hasReusePort(platform: string, node: string): boolean {
  const [major = 0, minor = 0] = node.split('.').map(Number);
  if (platform !== 'linux' || major < 22) return false;
  return minor >= (REUSE_PORT[major as keyof typeof REUSE_PORT] ?? 0);
}

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
  const reusePort = hasReusePort(process.platform, process.versions.node);
  const options: ListenOptions & { reusePort: boolean } = {
    host,
    port,
    backlog: BACKLOG,
    reusePort,
  };
  server.listen(options, () => {
    server.off('error', fail);
    done(server);
  });
}

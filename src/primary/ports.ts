/** Taking a port, and saying clearly why it cannot be had. */
import { createServer, type Server } from 'node:net';
import { EXIT, StartError, systemReason } from '../common/errors.ts';

/** Where to listen, and the settings that say so. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly hostEnv: string;
  readonly portEnv: string;
}

/**
 * Lets `server` listen at `endpoint`; exclusive: not a port that is shared by SO_REUSEPORT.
 * @throws StartError (exit code 1) that names the setting to look at
 */
export async function listenOn(server: Server, endpoint: Endpoint): Promise<void> {
  const { host, port } = endpoint;
  await new Promise<void>((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => reject(listenError(error, endpoint));
    server.once('error', fail);
    server.listen({ host, port, exclusive: true }, () => {
      server.removeListener('error', fail);
      resolve();
    });
  });
}

/**
 * Finds out whether the workers will get their port. They share it among themselves with
 * SO_REUSEPORT, so that the kernel would let them share it with somebody else's, too.
 * @throws StartError (exit code 1)
 */
export async function probePort(endpoint: Endpoint): Promise<void> {
  const server = createServer();
  await listenOn(server, endpoint);
  await new Promise((resolve) => server.close(resolve));
}

function listenError(error: NodeJS.ErrnoException, endpoint: Endpoint): StartError {
  const { host, port, hostEnv, portEnv } = endpoint;
  switch (error.code) {
    case 'EADDRINUSE':
      return failed(`${portEnv}: port ${port} is already in use on ${host}`);
    case 'EACCES':
      return failed(`${portEnv}: not allowed to listen on port ${port} of ${host}`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return failed(`${hostEnv}: ${host} is not an address of this machine`);
    default:
      return failed(`${portEnv}: cannot listen on port ${port} of ${host}: ${systemReason(error)}`);
  }
}

export function urlOf({ host, port }: Endpoint): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}/`;
}

function failed(message: string): StartError {
  return new StartError(message, EXIT.failed);
}

/** Binding of ports, with error messages that name the setting. */
import { createServer, type Server } from 'node:net';
import { EXIT, StartError, systemReason } from '../common/errors.ts';
import type { Config } from '../config/config.ts';

/** Address to listen on, and the settings that define it. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly hostEnv: string;
  readonly portEnv: string;
}

/** Returns the address of the admin port. */
export function adminEndpoint({ adminHost, adminPort }: Config): Endpoint {
  return {
    host: adminHost,
    port: adminPort,
    hostEnv: 'FOREBAY_ADMIN_HOST',
    portEnv: 'FOREBAY_ADMIN_PORT',
  };
}

/**
 * Binds `server` to `endpoint` exclusively, without SO_REUSEPORT.
 * @throws StartError (exit code 1) that names the setting to change
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
 * Checks that the workers will get their port. They share it through SO_REUSEPORT, so the kernel
 * would also let them share it with another program.
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

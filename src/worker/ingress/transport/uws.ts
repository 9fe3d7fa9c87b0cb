/**
 * uWebSockets.js: loads the binary for this Node.js version. It comes as one package per
 * platform and Node.js version; these are for Linux x64 with glibc.
 */
import { createRequire } from 'node:module';
import { EXIT, StartError } from '../../../common/errors.ts';
import type { App, ListenSocket, TlsOptions, Transport } from './transport.ts';

/** The exports of uWebSockets.js in use. */
export interface Uws {
  App(): App;
  /** TLS only. @throws Error without a reason if the files are unusable */
  SSLApp(options: TlsOptions): App;
  us_listen_socket_close(socket: ListenSocket): void;
  _cfg(key: 'silent'): void;
}

/** Node.js versions with a binary in package.json. */
const NODE_MAJORS = ['20', '22'];

/** Loads uWebSockets.js as a transport. @throws StartError as {@link loadUws} */
export function uwsTransport(): Transport {
  const uws = loadUws();
  return {
    name: 'uws',
    createApp: (tls) => (tls === undefined ? uws.App() : uws.SSLApp(tls)),
    closeListenSocket: (socket) => uws.us_listen_socket_close(socket),
  };
}

/** Loads the binary. @throws StartError if the platform has none or it is not installed */
export function loadUws(): Uws {
  try {
    const uws = createRequire(import.meta.url)(packageFor(process.versions.node)) as Uws;
    // Omits the `Server` header.
    uws._cfg('silent');
    return uws;
  } catch (error) {
    const { platform, arch, versions } = process;
    const here = { platform, arch, node: versions.node, hasGlibc: hasGlibc() };
    throw new StartError(reasonOf(error as NodeJS.ErrnoException, here), EXIT.failed);
  }
}

function packageFor(node: string): string {
  return `uWebSockets.js-node${Number.parseInt(node, 10)}`;
}

/** Properties of this machine that select a binary. */
export interface Platform {
  readonly platform: string;
  readonly arch: string;
  /** Node.js version. */
  readonly node: string;
  readonly hasGlibc: boolean;
}

/** Returns the reason for a failed load, for the operator. */
export function reasonOf({ code, message }: NodeJS.ErrnoException, here: Platform): string {
  const { platform, arch, node, hasGlibc } = here;
  const major = String(Number.parseInt(node, 10));
  const hasPlatform = platform === 'linux' && arch === 'x64' && hasGlibc;
  if (!hasPlatform || !NODE_MAJORS.includes(major)) {
    const libc = platform === 'linux' && !hasGlibc ? ' without glibc' : '';
    return (
      `Forebay runs on Linux x64 with glibc and Node ${NODE_MAJORS.join(' or ')}; ` +
      `this is ${platform} ${arch}${libc}, Node ${node}`
    );
  }
  const again = 'run make setup again (npm ci)';
  if (code !== 'MODULE_NOT_FOUND') {
    return `${packageFor(node)} cannot be loaded (${message.split('\n')[0]}); ${again}`;
  }
  return (
    `node_modules lacks ${packageFor(node)}: npm installs it under Node ${major} alone, ` +
    `and another version installed the packages; ${again}`
  );
}

function hasGlibc(): boolean {
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime !== undefined;
}

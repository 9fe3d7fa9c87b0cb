/**
 * uWebSockets.js: loads the binary for this platform and Node.js version. Each has a package of its
 * own: npm installs those for Linux x64 from the lock file, make setup tries to install others.
 */
import { createRequire } from 'node:module';
import { EXIT, StartError } from '../../../common/errors.ts';
import { DEPRECATED_NODE_MAJORS, NODE_MAJORS, nodeMajor } from '../../../common/node-versions.ts';
import type { App, ListenSocket, TlsOptions, Transport } from './transport.ts';

/** The exports of uWebSockets.js in use. */
export interface Uws {
  App(): App;
  /** TLS only. @throws Error without a reason if the files are unusable */
  SSLApp(options: TlsOptions): App;
  us_listen_socket_close(socket: ListenSocket): void;
  _cfg(key: 'silent'): void;
}

/** Loads uWebSockets.js as a transport. @throws StartError as {@link loadUws} */
export function uwsTransport(): Transport {
  const uws = loadUws();
  return {
    name: 'uws',
    reportsPartial: false,
    createApp: (tls) => (tls === undefined ? uws.App() : uws.SSLApp(tls)),
    closeListenSocket(socket, closed) {
      uws.us_listen_socket_close(socket);
      closed();
    },
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
    const here = { platform, arch, node: versions.node, glibc: glibcVersion() };
    throw new StartError(reasonOf(error as NodeJS.ErrnoException, here), EXIT.failed);
  }
}

function packageFor(node: string): string {
  return `uWebSockets.js-node${nodeMajor(node)}`;
}

/** Properties of this machine that select a binary. */
export interface Platform {
  readonly platform: string;
  readonly arch: string;
  /** Node.js version. */
  readonly node: string;
  /** Version of glibc; undefined with another C library, and on other systems. */
  readonly glibc: string | undefined;
}

/** Returns the reason for a failed load, for the operator. */
export function reasonOf({ code, message }: NodeJS.ErrnoException, here: Platform): string {
  const { platform, arch, node, glibc } = here;
  const major = nodeMajor(node);
  const isMissing = code === 'MODULE_NOT_FOUND';
  const isMusl = platform === 'linux' && glibc === undefined;
  // The lock file has the packages of Linux x64; make setup tries to install the others.
  const isLocked =
    platform === 'linux' &&
    arch === 'x64' &&
    [...DEPRECATED_NODE_MAJORS, ...NODE_MAJORS].includes(major);
  if (isMusl || (isMissing && !isLocked)) {
    const libc = isMusl ? ' without glibc' : '';
    return `no uWebSockets.js binary for ${platform} ${arch}${libc}, Node ${node}`;
  }
  // Text of the dynamic loader.
  const [, needed] = /version `GLIBC_([\d.]+)' not found/.exec(message) ?? [];
  if (needed !== undefined) return `${packageFor(node)} needs glibc ${needed}, this is ${glibc}`;
  const again = 'run make setup again (npm ci)';
  if (!isMissing) {
    return `${packageFor(node)} cannot be loaded (${message.split('\n')[0]}); ${again}`;
  }
  return (
    `node_modules lacks ${packageFor(node)}: npm installs it under Node ${major} alone, ` +
    `and another version installed the packages; ${again}`
  );
}

function glibcVersion(): string | undefined {
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime;
}

/**
 * The port that the workers of an instance share: one listening socket, which node:cluster opens in
 * the primary.
 */
import type { ListenOptions, Server } from 'node:net';
import { openFilesMax } from '../../../../config/fd-limits.ts';
import type { ToPrimary, ToWorker } from '../../../../ipc.ts';

/** Connections that may wait to be accepted; the kernel's own limit is often lower. */
const BACKLOG = 4_096;
/**
 * Handles of the socket in a worker: up to `max`, one for each `files` that it may open. Node.js
 * accepts one connection per handle and turn of the event loop. With a single one, clients would
 * wait for as many turns as connections arrived before theirs, and turns are long under load.
 */
const HANDLES = { max: 64, files: 64 } as const;
/** Without a connection for `idleMs`, none waits any more. */
const LAST = { idleMs: 50, maxMs: 1_000 } as const;

/** A listening socket of this process, without a server. */
interface Handle {
  close(): void;
}

/** The shared port, as one worker uses it. */
export class SharedPort {
  readonly #createServer: () => Server;
  readonly #handlesMax: number;
  /** Each accepts on a handle of its own. */
  readonly #servers: Server[] = [];
  #hasArrived = false;
  #closed = false;

  /**
   * @param createServer creates a server of the app, one for each handle
   * @param files that this process may open
   */
  constructor(createServer: () => Server, files = openFilesMax()) {
    this.#createServer = createServer;
    this.#handlesMax = Math.min(HANDLES.max, Math.floor(files / HANDLES.files));
  }

  /**
   * Listens with one handle; in a worker, with others as soon as the primary has returned them.
   * @param done called once, with false if the port is not available
   */
  listen(host: string, port: number, done: (port: SharedPort | false) => void): void {
    const server = this.#addServer();
    const fail = () => done(false);
    server.once('error', fail);
    const options: ListenOptions = { host, port, backlog: BACKLOG };
    server.listen(options, () => {
      server.off('error', fail);
      done(this);
      // On Windows the primary accepts, and passes connections on.
      if (process.send === undefined || process.platform === 'win32') return;
      process.on('message', (message: ToWorker, handle: unknown) => {
        if (message.type === 'port') this.#received(handle as Handle);
      });
      this.#requestHandle();
    });
  }

  /**
   * Closes the port when no connection arrives any more, then calls `closed`: without another
   * worker, those that wait would be reset.
   */
  stop(closed: () => void): void {
    const endMs = performance.now() + LAST.maxMs;
    this.#hasArrived = false;
    const idle = setTimeout(() => {
      // A turn that took longer than the timer may have left a connection unread.
      setImmediate(() => {
        if (this.#hasArrived && performance.now() < endMs) {
          this.#hasArrived = false;
          idle.refresh();
          return;
        }
        this.close();
        closed();
      });
    }, LAST.idleMs);
  }

  /** Closes the port at once. */
  close(): void {
    this.#closed = true;
    for (const server of this.#servers.splice(0)) server.close();
  }

  /** Sends a handle to the primary, which returns it as another one; one at a time. */
  #requestHandle(): void {
    const [server] = this.#servers;
    if (server === undefined || this.#servers.length >= this.#handlesMax) return;
    const message: ToPrimary = { type: 'port' };
    process.send?.(message, handleOf(server), undefined, () => {});
  }

  #received(handle: Handle): void {
    if (this.#closed) return handle.close();
    this.#addServer().listen(handle, BACKLOG);
    this.#requestHandle();
  }

  #addServer(): Server {
    const server = this.#createServer();
    server.on('connection', () => {
      this.#hasArrived = true;
    });
    this.#servers.push(server);
    return server;
  }
}

/** Returns a server's handle, which Node.js sends as it is; it would listen on a server itself. */
function handleOf(server: Server): Server {
  return (server as unknown as { readonly _handle: Server })._handle;
}

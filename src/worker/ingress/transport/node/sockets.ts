import type { Socket } from 'node:net';

/** Returns memory that holds exactly these bytes; copies a view of a part. */
export function arrayBufferOf(bytes: Uint8Array): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = bytes;
  if (byteLength === buffer.byteLength) return buffer as ArrayBuffer;
  return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
}

/** Detects that a client reads some of a socket's output. */
export class WriteProgress {
  readonly #socket: Socket;
  #writtenBytes = 0;
  #queuedBytes = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.made();
  }

  /** Returns whether bytes were written to the network since the last call. */
  made(): boolean {
    const { bytesWritten, writableLength } = this.#socket;
    const writtenBytes = bytesWritten - writableLength;
    const queuedBytes = queuedBytesOf(this.#socket);
    const hasProgress = writtenBytes > this.#writtenBytes || queuedBytes < this.#queuedBytes;
    this.#writtenBytes = writtenBytes;
    this.#queuedBytes = queuedBytes;
    return hasProgress;
  }
}

/**
 * Returns the bytes of the current write that the kernel has not accepted. Node.js reports a write
 * only when all of it was accepted, and has no public API for its progress; its own
 * `socket.setTimeout` reads this field.
 */
function queuedBytesOf(socket: Socket): number {
  const { _handle: handle } = socket as { _handle?: { writeQueueSize?: number } | null };
  return handle?.writeQueueSize ?? 0;
}

/** Bounds on open files and sockets of a process. */
import { readFileSync } from 'node:fs';
import { LIMITS } from './limits.ts';

/** Returns the hard limit, to which Node.js raises the soft one; Infinity = unlimited. */
export function openFilesMax(limits = readFileSync('/proc/self/limits', 'utf8')): number {
  const [, hard] = /^Max open files +\S+ +(\d+|unlimited)/m.exec(limits) ?? [];
  return hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
}

/** Client connections that a worker may have. */
export interface ConnectionBounds {
  /** WebSockets; further ones are rejected. */
  readonly webSockets: number;
  /** All connections; further ones are closed. */
  readonly all: number;
}

/**
 * Reserves some files: without a free one a worker could not reconnect to Kafka.
 * @param wanted WebSockets
 */
export function connectionBounds(wanted: number, files = openFilesMax()): ConnectionBounds {
  const { share, least, forBrokers } = LIMITS.reservedFiles;
  const most = (kept: number) =>
    Math.max(1, Math.min(files - Math.ceil(least * kept), Math.floor(files * (1 - share * kept))));
  return { webSockets: Math.min(wanted, most(1)), all: most(forBrokers) };
}

/** How many files and sockets a process may open. */
import { readFileSync } from 'node:fs';
import { LIMITS } from './limits.ts';

/** Infinity without a bound. Node.js takes all that the hard limit allows. */
export function openFilesMax(limits = readFileSync('/proc/self/limits', 'utf8')): number {
  const [, hard] = /^Max open files +\S+ +(\d+|unlimited)/m.exec(limits) ?? [];
  return hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
}

/** How many connections of clients a worker may have. */
export interface ConnectionBounds {
  /** WebSockets: the next one is refused. */
  readonly webSockets: number;
  /** All: the next one is closed. */
  readonly all: number;
}

/**
 * Without a file left a worker could not reach Kafka any more: some are kept.
 * @param wanted WebSockets
 */
export function connectionBounds(wanted: number, files = openFilesMax()): ConnectionBounds {
  const { share, least, forBrokers } = LIMITS.keptFiles;
  const most = (kept: number) =>
    Math.max(1, Math.min(files - Math.ceil(least * kept), Math.floor(files * (1 - share * kept))));
  return { webSockets: Math.min(wanted, most(1)), all: most(forBrokers) };
}

/** How many files and sockets a process may open. */
import { readFileSync } from 'node:fs';
import { LIMITS } from './limits.ts';

/** Infinity without a bound. Node.js takes all that the hard limit allows. */
export function openFilesMax(limits = readFileSync('/proc/self/limits', 'utf8')): number {
  const [, hard] = /^Max open files +\S+ +(\d+|unlimited)/m.exec(limits) ?? [];
  return hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
}

/** WebSockets that one worker may have: without a file left it could not reach Kafka any more. */
export function connectionsMax(files = openFilesMax()): number {
  const { share, least } = LIMITS.keptFiles;
  const left = Math.min(files - least, Math.floor(files * (1 - share)));
  return Math.max(1, Math.min(LIMITS.connections, left));
}

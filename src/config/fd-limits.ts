/** Bounds on open files and sockets of a process. */
import { readFileSync } from 'node:fs';
import { attempt } from '../common/errors.ts';
import { LIMITS } from './limits.ts';

/** Reads the limits of this process. @throws Error where there is no such file */
const readProcLimits = () => readFileSync('/proc/self/limits', 'utf8');

/**
 * Returns the maximum of open files: the hard limit, to which Node.js raises the soft one at its
 * start; Infinity = unlimited, or unknown as on Windows.
 * @param readLimits reads /proc/self/limits, which only Linux has
 * @param softLimit reads the soft limit, which the diagnostic report of other Unix systems contains
 */
export function openFilesMax(readLimits = readProcLimits, softLimit = reportedLimit): number {
  const [, hard] = /^Max open files +\S+ +(\d+|unlimited)/m.exec(attempt(readLimits) ?? '') ?? [];
  const limit = Number(hard ?? attempt(softLimit));
  return limit > 0 ? limit : Number.POSITIVE_INFINITY;
}

/** Soft limit in the diagnostic report; undefined on Windows. */
function reportedLimit(): unknown {
  const { userLimits } = process.report.getReport() as ReportedLimits;
  return userLimits?.open_files?.soft;
}

interface ReportedLimits {
  readonly userLimits?: { readonly open_files?: { readonly soft?: number | 'unlimited' } };
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

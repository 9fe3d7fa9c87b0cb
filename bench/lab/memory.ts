/** Memory of processes and of the kernel, from /proc. */
import { readFileSync } from 'node:fs';

const KIB = 1024;

/** Returns the resident bytes of a process. @throws Error if there is no such process */
export function residentBytesOf(pid: number): number {
  return kibIn(`/proc/${pid}/status`, 'VmRSS') * KIB;
}

/** Returns its peak resident bytes. @throws Error if there is no such process */
export function peakBytesOf(pid: number): number {
  return kibIn(`/proc/${pid}/status`, 'VmHWM') * KIB;
}

/** Returns the bytes of the kernel's objects: sockets, files and all others. */
export function kernelSocketBytes(): number {
  return kibIn('/proc/meminfo', 'Slab') * KIB;
}

function kibIn(file: string, name: string): number {
  const [, kib] = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(file, 'utf8')) ?? [];
  if (kib === undefined) throw new Error(`${file} has no ${name}`);
  return Number(kib);
}

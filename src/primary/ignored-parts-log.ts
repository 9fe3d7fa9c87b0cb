import type { FileWarnings } from '../file-check.ts';
import type { PrimaryLog } from './primary-log.ts';

/** Logs what has no effect in the event schema. Certificates are logged by a worker. */
export function logIgnoredParts(log: PrimaryLog, { schema }: FileWarnings): void {
  for (const problem of schema) log.write('warn', { problem }, 'part of the event schema ignored');
}

/**
 * Logs the ignored parts of the schema that the workers of a rolling restart will read. Files that
 * cannot be used are reported by these workers.
 */
export function logIgnoredPartsAnew(log: PrimaryLog, check: () => Promise<FileWarnings>): void {
  void check().then(
    (warnings) => logIgnoredParts(log, warnings),
    () => {},
  );
}

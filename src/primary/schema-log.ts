import type { FileWarnings } from '../config/file-check.ts';
import type { PrimaryLog } from './deferred-log.ts';

/** Logs doubtful parts of the event schema. Certificates are logged by a worker. */
export function logSchema(log: PrimaryLog, { schema: { ignored, unmatchable } }: FileWarnings) {
  for (const problem of unmatchable) {
    log.write('warn', { problem }, 'event schema rejects every event');
  }
  for (const problem of ignored) log.write('warn', { problem }, 'part of the event schema ignored');
}

/**
 * Logs the same of the schema that the workers of a rolling restart will read. Files that cannot be
 * used are reported by these workers.
 */
export function logSchemaAnew(log: PrimaryLog, check: () => Promise<FileWarnings>): void {
  void check().then(
    (warnings) => logSchema(log, warnings),
    () => {},
  );
}

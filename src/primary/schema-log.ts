import type { FileWarnings } from '../config/file-check.ts';
import type { DeferredLog } from './deferred-log.ts';

/** Logs warnings about the event schema. Warnings about certificates are logged by a worker. */
export function logSchema(log: DeferredLog, { schema: { ignored, unmatchable } }: FileWarnings) {
  for (const problem of unmatchable) {
    log.write('warn', { problem }, 'event schema rejects every event');
  }
  for (const problem of ignored) log.write('warn', { problem }, 'part of the event schema ignored');
}

/**
 * Logs the same warnings for the schema that the workers of a rolling restart will read. Unusable
 * files are reported by these workers.
 */
export function logReloadedSchema(log: DeferredLog, check: () => Promise<FileWarnings>): void {
  void check().then(
    (warnings) => logSchema(log, warnings),
    () => {},
  );
}

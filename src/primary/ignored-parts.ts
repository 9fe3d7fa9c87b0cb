import type { FileWarnings } from '../file-check.ts';
import type { PrimaryLog } from './primary-log.ts';

/** Logs what has no effect in the event schema. Certificates are logged by a worker. */
export function logIgnoredParts(log: PrimaryLog, { schema }: FileWarnings): void {
  for (const problem of schema) log.write('warn', { problem }, 'part of the event schema ignored');
}

/** Does so again for new workers, which read the files anew and report what they cannot use. */
export function logIgnoredPartsAgain(log: PrimaryLog, check: () => Promise<FileWarnings>): void {
  void check().then(
    (warnings) => logIgnoredParts(log, warnings),
    () => {},
  );
}

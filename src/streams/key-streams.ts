import type { KeyEntry } from '../api-keys/format.ts';
import { EXIT, StartError } from '../common/errors.ts';
import type { StreamFile } from './stream-file.ts';

/**
 * Checks that the streams of API keys exist.
 * @throws StartError with a line per key that names another (exit code 2)
 */
export function checkKeyStreams(file: StreamFile, keys: readonly KeyEntry[]): void {
  const writable = file.streams.filter(({ internal }) => !internal);
  const names = new Set(writable.map(({ name }) => name));
  const lines = keys.flatMap(({ name, streams = [] }) => {
    const unknown = [...streams].filter((stream) => !names.has(stream));
    if (unknown.length === 0) return [];
    const list = unknown.join(', ');
    return [`FOREBAY_KEYS_FILE: the key ${name} names streams that do not exist: ${list}`];
  });
  if (lines.length > 0) throw new StartError(lines.join('\n'), EXIT.configuration);
}

import { basename, relative } from 'node:path';

/**
 * How this command was called, for texts that people paste: `forebay` where npm has installed it,
 * else Node with the script's path from here.
 */
export function calledAs(script = process.argv[1] ?? '', folder = process.cwd()): string {
  return basename(script) === 'forebay' ? 'forebay' : `node ${relative(folder, script)}`;
}

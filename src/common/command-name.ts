import { basename, relative } from 'node:path';

/**
 * Invocation of this command, for texts to copy: `forebay` if npm has installed it, otherwise
 * Node.js with the relative path of the script.
 */
export function commandName(script = process.argv[1] ?? '', folder = process.cwd()): string {
  if (basename(script) === 'forebay') return 'forebay';
  const path = relative(folder, script);
  return `node ${/\s/.test(path) ? `"${path}"` : path}`;
}

/** Major versions of Node.js that Forebay runs on. */
export const NODE_MAJORS: readonly string[] = ['22', '24', '26'];

/** Those that still work, past their end of life. */
export const DEPRECATED_NODE_MAJORS: readonly string[] = ['20'];

/** Returns the major version of `version`, as in `process.versions.node`. */
export function nodeMajor(version: string): string {
  return String(Number.parseInt(version, 10));
}

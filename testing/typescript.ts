/** URL or path, as this process was started with. */
const DIST = process.execArgv
  .find((argument) => argument.endsWith('test/support/dist.ts'))
  ?.replace(/^--import=/, '');

/**
 * Node.js arguments before a TypeScript file of this project. The child resolves src/ to dist/ if
 * this process does, as in `make test`.
 */
export const TYPESCRIPT: readonly string[] = [
  ...['--import', 'tsx'],
  ...(DIST === undefined ? [] : ['--import', DIST]),
];

/** As a URL or a path, whichever the process was started with. */
const DIST = process.execArgv.find((argument) => argument.endsWith('test/support/dist.ts'));

/**
 * Arguments of Node.js before a TypeScript file of this project. Where this process takes src/ from
 * dist/, as in `make test`, so does the other one.
 */
export const TYPESCRIPT: readonly string[] = [
  ...['--import', 'tsx'],
  ...(DIST === undefined ? [] : ['--import', DIST]),
];

/** URL or path of a file in test/support/, as this process was started with. */
const preload = (name: string) =>
  process.execArgv
    .find((argument) => argument.endsWith(`test/support/${name}`))
    ?.replace(/^--import=/, '');

/**
 * Node.js arguments before a TypeScript file of this project. The child compiles it, and resolves
 * src/ to dist/, as this process does.
 */
export const TYPESCRIPT: readonly string[] = [
  ...[preload('typescript.mjs') ?? 'tsx', preload('dist.ts')].flatMap((name) =>
    name === undefined ? [] : ['--import', name],
  ),
];

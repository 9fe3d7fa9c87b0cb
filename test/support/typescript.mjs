/**
 * Preload of the test files of a run, in place of tsx: that takes longer to start than most of them
 * run. Imports name files with their extension, so only loading differs from JavaScript.
 */
import * as loader from 'node:module';

const { href } = new URL('typescript-hooks.mjs', import.meta.url);
// As in dist.ts.
if (loader.registerHooks === undefined) loader.register(href);
else loader.registerHooks(await import(href));

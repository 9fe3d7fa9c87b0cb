/**
 * Preload of a test file, `node --import tsx --import ./test/support/dist.ts FILE`: what the file
 * imports of src/ comes from dist/, as it ships. Stacks show the lines of src/, by source maps.
 */
import * as loader from 'node:module';
import { fileURLToPath } from 'node:url';
import { staleInputs } from '../../scripts/build/manifest.ts';

const stale = staleInputs(fileURLToPath(new URL('../..', import.meta.url)));
if (stale === undefined || stale.length > 0) {
  const why = stale === undefined ? 'is not built' : `is older than ${stale.join(', ')}`;
  // Without a stack: the error is not in this file.
  console.error(`test: dist/ ${why}; run make build`);
  process.exit(2);
}
process.setSourceMapsEnabled(true);
const { href } = new URL('dist-hooks.mjs', import.meta.url);
// Node.js 26 warns of `register`; versions before 22.15 have only that.
if (loader.registerHooks === undefined) loader.register(href);
else loader.registerHooks((await import(href)) as loader.RegisterHooksOptions);

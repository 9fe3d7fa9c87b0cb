/** `make check-deploy`: checks of deploy/ that do not deploy anything. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../kafka/jars.ts';
import { composeDefects } from './compose-defects.ts';
import { treeOf } from './compose-file.ts';

/** Tests of the Kafka of `make kafka`, which is not deployed. */
const OF_KAFKA = ['cluster.test.ts', 'service.test.ts'];

const defects = composeDefects(treeOf(ROOT));
for (const defect of defects) console.error(defect);
const tests = readdirSync(join(ROOT, 'test/deploy'))
  .filter((name) => name.endsWith('.test.ts') && !OF_KAFKA.includes(name))
  .map((name) => join('test/deploy', name));
// Run by scripts/test.ts, which provides Kafka where needed and reports what was skipped.
const run = spawnSync(process.execPath, ['--import', 'tsx', 'scripts/test.ts', ...tests], {
  cwd: ROOT,
  stdio: 'inherit',
});
process.exitCode = defects.length === 0 && run.status === 0 ? 0 : 1;

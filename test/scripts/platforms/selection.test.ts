import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../../../deploy/kafka/jars.ts';
import { majorsOf, passesOf } from '../../../scripts/platforms/selection.ts';
import { NODE_MAJORS } from '../../../src/common/node-versions.ts';

test('each supported version runs, that of the image first and with all tests of the others', () => {
  const majors = majorsOf(ROOT);
  assert.deepEqual([...majors].sort(), NODE_MAJORS);
  const [image, ...others] = majors.map((major) => passesOf(major, ROOT));
  for (const passes of others) {
    const extra = passes.flatMap(({ files }, index) =>
      files.filter((file) => !image?.[index]?.files.includes(file)),
    );
    assert.deepEqual(extra, []);
  }
});

test('both transports run existing tests under each version', () => {
  for (const major of NODE_MAJORS) {
    const passes = passesOf(major, ROOT);
    assert.deepEqual(
      passes.map(({ transport }) => transport),
      ['uws', 'node'],
    );
    for (const { files } of passes) {
      assert(files.length > 8, `${files.length} under ${major}`);
      assert.deepEqual(
        files.filter((file) => !existsSync(join(ROOT, file))),
        [],
      );
    }
  }
});

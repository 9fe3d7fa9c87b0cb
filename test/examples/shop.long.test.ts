/** examples/shop: its own browser test, run as a user would run it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { freePorts } from '../../deploy/kafka/ports.ts';
import { missingTool } from '../../testing/tools.ts';

const FILE = 'examples/shop/shop.test.ts';

test('the browser test of the shop finds its events by /micro/expect', {
  skip: missingTool('chromium'),
}, async () => {
  const [port, adminPort] = await freePorts(2);
  const folders = (process.env.PATH ?? '').split(delimiter);
  const chromium = folders.map((folder) => join(folder, 'chromium')).find(existsSync);
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, ['--import', 'tsx', '--test', FILE], {
    env: {
      ...env,
      CHROMIUM: chromium,
      FOREBAY_PORT: String(port),
      FOREBAY_ADMIN_PORT: String(adminPort),
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(code, 0, output);
  assert.match(output, /pass 2\b/, output);
  assert.match(output, /THIS IS NOT KAFKA/);
});

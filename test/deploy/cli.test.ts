import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Child } from '../../testing/child.ts';

test('invalid arguments of make kafka: one line that names option and range, exit code 2', async () => {
  const port = /--port must be a whole number from 1 to 65535, not /;
  for (const [args, expected] of [
    [['up', '--port', '-3'], port],
    [['up', '--port=0'], port],
    [['up', '--port', '65536'], port],
    [['up', '--port', '1e3'], port],
    [['up', '--port'], /--port requires a value: a whole number from 1 to 65535/],
    [['up', '--port=1', '--port=2'], /--port is repeated/],
    [['up', '--prot', '9092'], /unknown option --prot/],
    [['up', '9092'], /unknown command "up 9092"/],
    [['down', '--port', '9092'], /--port needs the command up/],
    [['run'], /unknown command "run"/],
    [['stop'], /unknown command "stop"/],
    [[], /unknown command ""/],
  ] as const) {
    const child = new Child('deploy/kafka/cli.ts', args, {});
    const { code } = await child.ended;
    assert.deepEqual([code, child.stdout], [2, ''], args.join(' '));
    assert.match(child.stderr, /^kafka: [^\n]* \(usage: make kafka [^\n]*\)\n$/);
    assert.match(child.stderr, expected);
  }
});

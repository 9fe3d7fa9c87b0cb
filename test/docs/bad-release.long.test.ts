/** docs/bad-release.md, from the bad release to the last replayed event. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { until } from '../../testing/wait.ts';
import { answerBelow, BAD_RELEASE as BLOCKS, plain } from './blocks.ts';
import { serving, stand, useStand } from './use-stand.ts';

const PAGE = 'docs/bad-release.md';
const stateHome = mkdtempSync(join(tmpdir(), 'forebay-replay-'));

useStand();
after(() => rmSync(stateHome, { recursive: true, force: true }));

test('a bad release: events are rejected, found, accepted and replayed', async () => {
  const gateway = await serving(BLOCKS.start);
  const terminal = stand.terminal({ XDG_STATE_HOME: stateHome });
  const run = async (block: string) => plain(await terminal.run(stand.here(block)));
  const shown = (text: string) => plain(stand.here(answerBelow(PAGE, text)));

  // The topic of dead letters is not required: workers may know its partitions after the others.
  const lanesOf = (metrics: string, stream: string) =>
    metrics
      .split('\n')
      .filter((line) => line.startsWith(`forebay_lanes{stream="${stream}"`))
      .reduce((sum, line) => sum + Number(line.split(' ')[1]), 0);
  await until(
    async () => {
      const metrics = await terminal.run(stand.here('curl -s localhost:9001/metrics'));
      const lanes = lanesOf(metrics, 'rejected');
      return lanes > 0 && lanes === lanesOf(metrics, 'clicks');
    },
    { everyMs: 500, what: 'lanes for dead letters' },
  );
  assert.equal(await run(BLOCKS.good), shown('"price":9.5'));
  assert.equal(await run(BLOCKS.bad), shown('"price":"19.90"'));

  const withoutTimes = (json: string) => json.replace(/"atMs":\d+/g, '"atMs":0');
  const violations = async () => withoutTimes(await run(BLOCKS.violations));
  const expected = withoutTimes(shown('localhost:9001/violations'));
  await until(async () => (await violations()) === expected, { what: `violations as ${expected}` });

  const letters = await run(BLOCKS.letters);
  for (const header of ['fb-error-code=schema', 'fb-stream=clicks', 'fb-transport=http']) {
    assert.equal(letters.split(header).length - 1, 3, `${header} in\n${letters}`);
  }
  assert.match(letters, /"price":"19\.90"/);

  const tried = await run(BLOCKS.attempt);
  const withoutPlaces = (text: string) => text.replace(/^( +)\d+:\d+ /gm, '$1P:O ');
  const attempt = withoutPlaces(shown('schema try'));
  assert(withoutPlaces(tried).includes(attempt), `${attempt}\nin\n${tried}`);
  await run(BLOCKS.candidate);
  await gateway.says(/"version":2,[^\n]*"msg":"streams reloaded"/);
  await run(BLOCKS.switch);
  await gateway.says(/"version":3,[^\n]*"msg":"streams reloaded"/);
  assert.equal(await run(BLOCKS.again), shown('"price":"7.00"'));

  const newState = /^forebay: no state file at \S+ yet: .*\n/;
  const runWithoutState = async (block: string) => {
    const output = await run(block);
    assert.match(output, newState);
    return output.replace(newState, '');
  };
  assert.equal(await runWithoutState(BLOCKS.dryRun), shown('--dry-run'));
  const first = shown('--since -1h || test');
  assert.equal(await runWithoutState(BLOCKS.replay), first);
  assert.equal(await run(BLOCKS.replay), first.replace('replayed', 'replayed before'));

  const clicks = await run(BLOCKS.complete);
  assert.equal(clicks.split('fb-replayed=').length - 1, 2, clicks);
  for (const price of ['9.5', '"19.90"', '"5.00"', '"7.00"']) {
    assert.equal(clicks.split(`"price":${price}`).length - 1, 1, `${price} in\n${clicks}`);
  }
  assert.equal(clicks.split('"user":"joe"').length - 1, 0);
});

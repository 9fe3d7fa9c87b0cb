import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultStatePath } from '../../../src/cli/replay/command.ts';
import { REPLAY_LIMITS } from '../../../src/cli/replay/limits.ts';
import { PartitionedOffsets } from '../../../src/cli/replay/offset-set.ts';
import { ReplayReport } from '../../../src/cli/replay/report.ts';
import { hasStartedAgain, removedOpen } from '../../../src/cli/replay/source-topic.ts';
import { ReplayedOffsets } from '../../../src/cli/replay/state-file.ts';

const FACTS = {
  from: 'rejected',
  stream: 'clicks',
  isDryRun: false,
  isComplete: true,
  state: undefined,
};

function reportOf(counts: Partial<Record<'passing' | 'replayed' | 'marked', number>>) {
  const report = new ReplayReport();
  Object.assign(report, { read: 10, otherStream: 1, unselected: 1, removed: 4, ...counts });
  report.alreadyReplayed = 1;
  report.addFailure({ code: 'schema', message: '/a must be integer' });
  report.addFailure({ code: 'too_deep', message: 'x' });
  report.addFailure({ code: 'schema', message: '/a must be integer' });
  report.addObstacle('truncated');
  return report;
}

test('the report counts every dead letter once, by reason', () => {
  const report = reportOf({ passing: 3, replayed: 2, marked: 1 });
  assert.deepEqual(report.lines({ ...FACTS, isComplete: false }), [
    '10 dead letters read from rejected, 8 of clicks selected',
    '         2  replayed, 1 of them with fb-resent',
    '         1  not replayed yet',
    '         1  replayed before',
    '         3  still rejected',
    '         2    schema: /a must be integer',
    '         1    too_deep: x',
    '         1  not replayable',
    '         1    truncated: the gateway has kept its first 64 KiB only',
    '         1  of other streams',
    '         1  not selected',
    '         4  removed by the retention of the topic',
    'stopped before the end: run it again to resume',
  ]);
  const state = { path: '/s', isNew: true };
  assert.deepEqual(report.summary({ ...FACTS, state }), {
    from: 'rejected',
    stream: 'clicks',
    dryRun: false,
    complete: true,
    state,
    read: 10,
    selected: 8,
    unselected: 1,
    otherStream: 1,
    removed: 4,
    alreadyReplayed: 1,
    passing: 3,
    replayed: 2,
    marked: 1,
    failing: 3,
    failures: [
      { code: 'schema', message: '/a must be integer', count: 2 },
      { code: 'too_deep', message: 'x', count: 1 },
    ],
    notReplayable: { truncated: 1, undecodable: 0, empty: 0 },
  });
});

test('a dry run reports what would be replayed', () => {
  const facts = { ...FACTS, isDryRun: true };
  const report = reportOf({ passing: 3 });
  assert.equal(report.lines(facts)[1], '         3  would be replayed');
  assert.ok(!('replayed' in report.summary(facts)), 'nothing was replayed');
});

test('many reasons are summed up', () => {
  const report = new ReplayReport();
  const { reasons } = REPLAY_LIMITS;
  for (let reason = 0; reason < reasons + 7; reason++) {
    report.addFailure({ code: 'schema', message: `${reason}` });
  }
  const { failures } = report;
  assert.equal(failures.length, reasons + 1);
  assert.deepEqual(failures.at(-1), { code: 'other', message: 'further reasons', count: 7 });
});

test('the state file is in the folder for state, by cluster and topic', () => {
  const topic = { cluster: 'a/b', topic: 'forebay.rejected' };
  const path = defaultStatePath(topic, { XDG_STATE_HOME: '/state' });
  assert.equal(path.replaceAll('\\', '/'), '/state/forebay/replay-a_b-forebay.rejected.log');
  assert.match(defaultStatePath(topic, {}), /\.local.state.forebay.replay-a_b-/);
});

test('offsets beyond the end of the topic, or of a missing partition, belong to a former topic', () => {
  const offsets = new ReplayedOffsets();
  const begun = new PartitionedOffsets();
  begun.of(0).add(3, 9);
  offsets.apply({ begun });
  const bounds = (low: bigint, high: bigint, partition = 0) => ({
    low: new Map([[partition, low]]),
    high: new Map([[partition, high]]),
  });
  assert.ok(!hasStartedAgain(offsets, bounds(0n, 10n)));
  assert.ok(hasStartedAgain(offsets, bounds(0n, 9n)));
  assert.ok(hasStartedAgain(offsets, bounds(0n, 10n, 1)));
  assert.equal(removedOpen(offsets, bounds(0n, 10n)), 0);
  assert.equal(removedOpen(offsets, bounds(5n, 10n)), 2);
});

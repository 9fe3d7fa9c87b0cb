import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { LIMITS } from '../../../src/config/limits.ts';
import { TurnBudget } from '../../../src/worker/overload/turn-budget.ts';

const { workMs, overlongMs, checkBytes } = LIMITS.turn;
const turnOver = () => new Promise<void>((done) => setImmediate(done));

let nowMs: number;
let cpuMs: number;
let checks: number;
let turn: TurnBudget;
beforeEach(() => {
  [nowMs, cpuMs, checks] = [1_000, 0, 0];
  const now = () => {
    checks++;
    return nowMs;
  };
  turn = new TurnBudget({ now, cpuMs: () => cpuMs });
});

/** Advances time, with or without CPU use. */
function pass(ms: number, onCore = true): void {
  nowMs += ms;
  if (onCore) cpuMs += ms;
}

test('input has the time of a turn, and as much again in the next one', async () => {
  for (let turns = 0; turns < 3; turns++) {
    assert(turn.spend(checkBytes), 'the turn begins');
    pass(workMs - 1);
    assert(turn.spend(checkBytes), 'there is time left');
    pass(1);
    assert(!turn.spend(checkBytes), 'the time is used up');
    assert(!turn.spend(1), 'also for small input');
    assert(turn.spent);
    await turnOver();
    assert(!turn.spent);
    assert.equal(turn.number, turns + 1);
  }
});

test('the end of each turn with much input is reported once, before callbacks that wait for it', async () => {
  const order: string[] = [];
  turn.onEnd(() => order.push('end'));
  turn.spend(1);
  await turnOver();
  assert.equal(order.length, 0, 'little input');
  for (let turns = 0; turns < 2; turns++) {
    turn.spend(checkBytes);
    turn.afterTurn(() => order.push('waited'));
    await turnOver();
  }
  assert.deepEqual(order, ['end', 'waited', 'end', 'waited']);
});

test('little input never checks the clock; many small frames do, and so do many bytes', async () => {
  for (let frames = 0; frames < 40; frames++) turn.spend(1);
  assert.equal(checks, 0);
  const frames = Math.ceil(checkBytes / LIMITS.frameOverheadBytes);
  for (let frame = 0; frame < frames; frame++) turn.spend(0);
  assert.equal(checks, 1);
  turn.spend(checkBytes);
  assert.equal(checks, 2);
});

test('a turn is overlong by the CPU time of queuing, not by that of other processes', async () => {
  turn.spend(checkBytes);
  pass(workMs);
  turn.spend(checkBytes);
  pass(overlongMs, false);
  turn.spend(checkBytes);
  assert(turn.spent && !turn.overlong, 'the CPU was used by others');
  pass(overlongMs - workMs - 1);
  turn.spend(checkBytes);
  assert(!turn.overlong);
  pass(1);
  turn.spend(checkBytes);
  assert(turn.overlong);
  await turnOver();
  assert(!turn.overlong);
});

test('queued work gets the rest of the turn, and at least half of one', () => {
  turn.spend(checkBytes);
  pass(5);
  assert.equal(turn.workUntilMs, 1_000 + workMs);
  pass(workMs);
  assert.equal(turn.workUntilMs, nowMs + workMs / 2);
});

test('a callback for the end of a turn is called once, at its end', async () => {
  let calls = 0;
  turn.afterTurn(() => calls++);
  turn.afterTurn(() => calls++);
  assert.equal(calls, 0);
  await turnOver();
  assert.equal(calls, 2);
  await turnOver();
  assert.equal(calls, 2);
  // One added at the end waits for another turn.
  turn.afterTurn(() => turn.afterTurn(() => calls++));
  await turnOver();
  assert.equal(calls, 2);
  await turnOver();
  assert.equal(calls, 3);
});

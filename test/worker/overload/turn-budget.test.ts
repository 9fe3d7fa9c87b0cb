import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { LIMITS } from '../../../src/config/limits.ts';
import { TurnBudget } from '../../../src/worker/overload/turn-budget.ts';

const { workMs, overlongMs, lookBytes } = LIMITS.turn;
const turnOver = () => new Promise<void>((done) => setImmediate(done));

let nowMs: number;
let cpuMs: number;
let looks: number;
let turn: TurnBudget;
beforeEach(() => {
  [nowMs, cpuMs, looks] = [1_000, 0, 0];
  const now = () => {
    looks++;
    return nowMs;
  };
  turn = new TurnBudget({ now, cpuMs: () => cpuMs });
});

/** Time passes, all of it on a core or none. */
function pass(ms: number, onCore = true): void {
  nowMs += ms;
  if (onCore) cpuMs += ms;
}

test('input has the time of a turn, and in the next one as much again', async () => {
  for (let turns = 0; turns < 3; turns++) {
    assert(turn.spend(lookBytes), 'the turn begins');
    pass(workMs - 1);
    assert(turn.spend(lookBytes), 'there is time left');
    pass(1);
    assert(!turn.spend(lookBytes), 'there is none');
    assert(!turn.spend(1), 'nor for anything else');
    assert(turn.spent);
    await turnOver();
    assert(!turn.spent);
    assert.equal(turn.number, turns + 1);
  }
});

test('the end of each turn with much input is reported once, before what has waited for it', async () => {
  const order: string[] = [];
  turn.onEnd(() => order.push('end'));
  turn.spend(1);
  await turnOver();
  assert.equal(order.length, 0, 'little input');
  for (let turns = 0; turns < 2; turns++) {
    turn.spend(lookBytes);
    turn.afterTurn(() => order.push('waited'));
    await turnOver();
  }
  assert.deepEqual(order, ['end', 'waited', 'end', 'waited']);
});

test('little input costs no look at the clock; many small frames do, as many bytes do', async () => {
  for (let frames = 0; frames < 40; frames++) turn.spend(1);
  assert.equal(looks, 0);
  const frames = Math.ceil(lookBytes / LIMITS.frameOverheadBytes);
  for (let frame = 0; frame < frames; frame++) turn.spend(0);
  assert.equal(looks, 1);
  turn.spend(lookBytes);
  assert.equal(looks, 2);
});

test('a turn is overlong when keeping what comes has taken it there, not when others took the core', async () => {
  turn.spend(lookBytes);
  pass(workMs);
  turn.spend(lookBytes);
  pass(overlongMs, false);
  turn.spend(lookBytes);
  assert(turn.spent && !turn.overlong, 'the core was with others');
  pass(overlongMs - workMs - 1);
  turn.spend(lookBytes);
  assert(!turn.overlong);
  pass(1);
  turn.spend(lookBytes);
  assert(turn.overlong);
  await turnOver();
  assert(!turn.overlong);
});

test('work that has waited has what is left of the turn, and at least half of one', () => {
  turn.spend(lookBytes);
  pass(5);
  assert.equal(turn.workUntilMs, 1_000 + workMs);
  pass(workMs);
  assert.equal(turn.workUntilMs, nowMs + workMs / 2);
});

test('what waits for the end of a turn is called once, at its end', async () => {
  let calls = 0;
  turn.afterTurn(() => calls++);
  turn.afterTurn(() => calls++);
  assert.equal(calls, 0);
  await turnOver();
  assert.equal(calls, 2);
  await turnOver();
  assert.equal(calls, 2);
  // One that is added at the end waits for another turn.
  turn.afterTurn(() => turn.afterTurn(() => calls++));
  await turnOver();
  assert.equal(calls, 2);
  await turnOver();
  assert.equal(calls, 3);
});

/** A short selection of `make chaos`: nothing lost, nothing duplicated. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accountLine, missedGoals } from '../../../bench/chaos/format.ts';
import { runScenario } from '../../../bench/chaos/run-scenario.ts';
import { answersDropped } from '../../../bench/chaos/scenarios/answers-dropped.ts';
import { brokerSigkill } from '../../../bench/chaos/scenarios/broker-sigkill.ts';
import { resets } from '../../../bench/chaos/scenarios/resets.ts';

const SHORT = [brokerSigkill(2), answersDropped(1), resets(5)].map((scenario) => ({
  ...scenario,
  setup: { ...scenario.setup, rate: 0.3 },
}));

for (const scenario of SHORT) {
  test(`${scenario.name}: ${scenario.summary}; the ledger balances`, async (t) => {
    const said: string[] = [];
    const outcome = await runScenario(scenario, (line) => said.push(line));
    assert.deepEqual(outcome.problems, [], said.join('\n'));
    t.diagnostic(accountLine(outcome.account!));
    assert.deepEqual(missedGoals(outcome), []);
  });
}

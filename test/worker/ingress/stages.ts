/** The stages behind a listener: real ones, but for Kafka. */
import pino from 'pino';
import { MIB } from '../../../src/config/limits.ts';
import { Counters } from '../../../src/metrics/counters.ts';
import { Accumulator } from '../../../src/worker/accumulator/accumulator.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { Acknowledger } from '../../../src/worker/acknowledger/acknowledger.ts';
import { Credit } from '../../../src/worker/acknowledger/credit.ts';
import { Gate } from '../../../src/worker/admission/authenticator.ts';
import { ConnectionAdmission } from '../../../src/worker/admission/connections.ts';
import { Origins } from '../../../src/worker/admission/origins.ts';
import type { Rate } from '../../../src/worker/admission/token-bucket.ts';
import { Faults } from '../../../src/worker/faults.ts';
import type { PageSettings } from '../../../src/worker/ingress/http/page-response.ts';
import { Slicer } from '../../../src/worker/ingress/slicer.ts';
import { Intake } from '../../../src/worker/intake/intake.ts';
import { Keyless } from '../../../src/worker/intake/keyless.ts';
import { loadSieve, loadValidator, type Validator } from '../../../src/worker/intake/validator.ts';
import { InputMemory } from '../../../src/worker/overload/input-memory.ts';
import { TurnBudget } from '../../../src/worker/overload/turn-budget.ts';

export const MAX_EVENT_BYTES = 65_536;
/** For a listener that no page asks. */
export const NO_PAGE: PageSettings = {
  topic: 'topic',
  brokers: ['broker:9092'],
  keyField: 'clientId',
  idField: 'id',
  outage: () => undefined,
  example: async () => ({ event: { msg: 'text' }, vary: [] }),
};

/**
 * @param validate what looks at events that the sieve does not let through
 * @param addressRate of each client address; undefined = no bound
 */
export function createStages(validate: Validator = loadValidator(undefined), addressRate?: Rate) {
  const logged: string[] = [];
  const log = pino({}, { write: (line: string) => void logged.push(JSON.parse(line).msg) });
  const counters = new Counters();
  const budget = new Budget(64 * MIB);
  const bounds = { batchBytes: MIB, maxEventBytes: MAX_EVENT_BYTES };
  const accumulator = new Accumulator({ budget, ...bounds });
  accumulator.setPartitions(1);
  const credit = new Credit(budget, MAX_EVENT_BYTES);
  const acknowledger = new Acknowledger(counters, credit, (b) => accumulator.release(b), log);
  const sieve = loadSieve(undefined, 'clientId');
  const keyless = new Keyless('clientId', counters, new Faults(() => {}));
  const intake = new Intake(validate, sieve, accumulator, 'clientId', keyless, (...refusal) =>
    acknowledger.refuse(...refusal),
  );
  const gate = new Gate({ origins: new Origins(undefined), log });
  const admission = new ConnectionAdmission({
    max: 2_000,
    maxPerAddress: 0,
    addressRate,
    trustedProxies: [],
    memory: { over: false },
  });
  const turn = new TurnBudget();
  const slicer = new Slicer(turn);
  const inputMemory = new InputMemory(64 * MIB);
  const input = { turn, slicer, inputMemory };
  const told = { logged, log, counters, page: NO_PAGE };
  return { ...told, ...input, budget, accumulator, acknowledger, intake, gate, admission };
}

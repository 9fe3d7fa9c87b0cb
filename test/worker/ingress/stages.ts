/** The stages of a worker except the producer, with requests and frames from a test. */
import pino from 'pino';
import { readConfig } from '../../../src/config/config.ts';
import { Counters } from '../../../src/metrics/counters.ts';
import { implicitStream } from '../../../src/streams/implicit-stream.ts';
import { Authenticator } from '../../../src/worker/admission/authenticator.ts';
import { Origins } from '../../../src/worker/admission/origins.ts';
import { Faults } from '../../../src/worker/faults.ts';
import type { PageSettings, PageStream } from '../../../src/worker/ingress/http/page-response.ts';
import type { Validator } from '../../../src/worker/intake/validator.ts';
import {
  type EventBuffer,
  type IngressParts,
  type IngressSettings,
  wireBuffer,
  wireIngress,
  wireIntake,
} from '../../../src/worker/wire.ts';
import { topicOf } from '../../../testing/batches.ts';

export const MAX_EVENT_BYTES = 65_536;
const DEFAULTS = { ...readConfig({}), maxFrameBytes: MAX_EVENT_BYTES };
export function pageStreamOf(name: string, permits = true): PageStream {
  return {
    name,
    topic: 'topic',
    keyField: 'clientId',
    idField: 'id',
    permits: () => permits,
    example: async () => ({ event: { msg: 'text' }, vary: [] }),
  };
}

/** Page settings for an ingress without pages. */
export const NO_PAGE: PageSettings = {
  brokers: ['broker:9092'],
  streams: [pageStreamOf('default')],
  areDeclared: false,
  outage: () => undefined,
};

export interface StagesOptions {
  /** Validates events that the fast path does not accept; default: by the built-in schema. */
  readonly validate?: Validator;
  readonly settings?: Partial<IngressSettings>;
  readonly parts?: Partial<IngressParts>;
}

/** Wires the stages of a worker, except Kafka. */
export function createStages({ validate, settings = {}, parts = {} }: StagesOptions = {}) {
  const logged: string[] = [];
  const log = pino({}, { write: (line: string) => void logged.push(JSON.parse(line).msg) });
  const counters = new Counters();
  const reporting = { counters, log, faults: new Faults(() => {}) };
  const topic = topicOf(1);
  const buffer: EventBuffer = { ...wireBuffer(DEFAULTS), topics: [topic] };
  const file = implicitStream({ ...DEFAULTS, kafkaTopic: topic.name });
  const declarations = { file, areDeclared: false, validate };
  const decision = wireIntake(DEFAULTS, buffer, reporting, declarations);
  const ingress = wireIngress({ ...DEFAULTS, ...settings }, buffer, decision, reporting, {
    authenticator: new Authenticator({ origins: new Origins(undefined), log }),
    memory: { exceeded: false },
    connections: { all: 2_000, webSockets: 2_000 },
    readiness: () => ({ ready: true, reasons: [] }),
    page: NO_PAGE,
    ...parts,
  });
  return { ...buffer, topic, ...decision, ...ingress, counters, log, logged };
}

/**
 * `GET /page.json`, the settings of the test page. Readiness is public, as in `/readyz`, and so is an
 * outage of Kafka; topic, brokers and an example event are for clients that may send.
 */
import type { OutageNotice, Readiness } from '../../../ipc.ts';
import type { Gate } from '../../admission/authenticator.ts';
import type { Example } from '../../example/example.ts';
import { admitRequest } from '../authorize.ts';
import type { HttpRequest } from '../uws.ts';
import { type Answer, jsonBody } from './responses.ts';

export interface PageSettings {
  readonly topic: string;
  readonly brokers: readonly string[];
  readonly idField: string;
  readonly keyField: string;
  /** The current outage of Kafka; undefined = none. */
  outage(): OutageNotice | undefined;
  /** Generated at the first request. */
  example(): Promise<Example>;
}

const HEADERS = { 'Cache-Control': 'no-store' } as const;

/**
 * The answer to the page. It has status 200 also without valid credentials: browsers put any other
 * one into the console as an error.
 */
export function pageAnswer(
  gate: Gate,
  request: HttpRequest,
  readiness: Readiness,
  settings: PageSettings,
): Promise<Answer> {
  const answer = (more: object): Answer => {
    const state = { ...readiness, outage: settings.outage() };
    return { status: 200, headers: HEADERS, body: jsonBody({ ...state, ...more }) };
  };
  // The page has no credentials at first: that is not worth a line of the log.
  if (gate.required && request.getHeader('authorization') === '') {
    return Promise.resolve(answer({ rejected: 'unauthorized' }));
  }
  // The request is valid only until the first wait.
  const admitted = Promise.resolve(admitRequest(gate, request));
  return admitted.then(async (verdict) => {
    if (typeof verdict === 'string') return answer({ rejected: verdict });
    const { topic, brokers, idField, keyField } = settings;
    const example = await settings.example();
    return answer({ topic, brokers, idField, keyField, example });
  });
}

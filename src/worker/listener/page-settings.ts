/**
 * `GET /page.json`: what the test page needs to know. Whether this instance is ready is open, as in
 * `/readyz`; where events go, and how one looks, is for those who may send.
 */
import type { Readiness } from '../../messages.ts';
import type { Gate } from '../admission/gate.ts';
import type { Example } from '../example/example.ts';
import { type Answer, jsonBody } from './answers.ts';
import { admitRequest } from './entrance.ts';
import type { HttpRequest } from './uws.ts';

export interface PageSettings {
  readonly topic: string;
  readonly brokers: readonly string[];
  readonly idField: string;
  readonly keyField: string;
  /** Made when a page asks for the first time. */
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
    return { status: 200, headers: HEADERS, body: jsonBody({ ...readiness, ...more }) };
  };
  // Without credentials there is nobody to log as rejected: the page has none to begin with.
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

/**
 * `GET /page.json`, the settings of the test page. Readiness is public, as in `/readyz`, and so is an
 * outage of Kafka; topic, brokers and an example event are for clients that may send.
 */
import type { OutageNotice, Readiness } from '../../../ipc.ts';
import type { Authenticator } from '../../admission/authenticator.ts';
import type { Example } from '../../example/example.ts';
import { authenticateRequest } from '../authorize.ts';
import type { HttpRequest } from '../uws.ts';
import { jsonBody, type ResponseContent } from './responses.ts';

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
export function pageResponse(
  authenticator: Authenticator,
  request: HttpRequest,
  readiness: Readiness,
  settings: PageSettings,
): Promise<ResponseContent> {
  const content = (more: object): ResponseContent => {
    const state = { ...readiness, outage: settings.outage() };
    return { status: 200, headers: HEADERS, body: jsonBody({ ...state, ...more }) };
  };
  // The page has no credentials at first: that is not worth a line of the log.
  if (authenticator.required && request.getHeader('authorization') === '') {
    return Promise.resolve(content({ rejected: 'unauthorized' }));
  }
  // The request is valid only until the first wait.
  const admitted = Promise.resolve(authenticateRequest(authenticator, request));
  return admitted.then(async (auth) => {
    if (typeof auth === 'string') return content({ rejected: auth });
    const { topic, brokers, idField, keyField } = settings;
    const example = await settings.example();
    return content({ topic, brokers, idField, keyField, example });
  });
}

/**
 * `GET /page.json`, the settings of the test page. Readiness, as in `/readyz`, and Kafka outages
 * are public; topic, brokers and an example event require authentication.
 */
import type { OutageNotice, Readiness } from '../../../ipc.ts';
import type { Authenticator } from '../../admission/authenticator.ts';
import type { Example } from '../../example/example.ts';
import { authenticateRequest } from '../authorize.ts';
import type { HttpRequest } from '../transport/transport.ts';
import { jsonBody, type ResponseContent } from './responses.ts';

export interface PageSettings {
  readonly topic: string;
  readonly brokers: readonly string[];
  readonly idField: string;
  readonly keyField: string;
  /** The current Kafka outage; undefined = none. */
  outage(): OutageNotice | undefined;
  /** Generated on the first request. */
  example(): Promise<Example>;
}

const HEADERS = { 'Cache-Control': 'no-store' } as const;

/**
 * Returns the response to the page. Its status is 200 even without valid credentials: browsers log
 * any other status to the console as an error.
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
  // The page starts without credentials: that is not worth a log line.
  if (authenticator.required && request.getHeader('authorization') === '') {
    return Promise.resolve(content({ rejected: 'unauthorized' }));
  }
  // The request is valid only until the first await.
  const authenticated = Promise.resolve(authenticateRequest(authenticator, request, false));
  return authenticated.then(async (auth) => {
    if (typeof auth === 'string') return content({ rejected: auth });
    const { topic, brokers, idField, keyField } = settings;
    const example = await settings.example();
    return content({ topic, brokers, idField, keyField, example });
  });
}

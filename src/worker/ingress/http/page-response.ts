/**
 * `GET /page.json`, the settings of the test page, or `/page.json/NAME` for a stream. Readiness, as
 * in `/readyz`, and Kafka outages are public; streams, topic, brokers and an example event require
 * authentication.
 */
import type { OutageNotice, Readiness } from '../../../ipc.ts';
import type { Authenticator } from '../../admission/authenticator.ts';
import type { Example } from '../../example/example.ts';
import type { Sender } from '../../streams/stream.ts';
import { authenticateRequest } from '../authorize.ts';
import { streamNameIn } from '../paths.ts';
import type { HttpRequest } from '../transport/transport.ts';
import { jsonBody, type ResponseContent } from './responses.ts';

export const PAGE_PATH = '/page.json';

export interface PageSettings {
  readonly brokers: readonly string[];
  readonly idField: string;
  /** In the order of the stream file; one without such a file. */
  readonly streams: readonly PageStream[];
  /** A stream file declares the streams: the page may choose one. */
  readonly areDeclared: boolean;
  /** The current Kafka outage; undefined = none. */
  outage(): OutageNotice | undefined;
}

export interface PageStream {
  readonly name: string;
  readonly topic: string;
  /** Fields of the record key, separated by commas; '' = none. */
  readonly keyField: string;
  permits(sender: Sender): boolean;
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
  const name = streamNameIn(PAGE_PATH, request.getUrl());
  const origin = request.getHeader('origin');
  const authenticated = Promise.resolve(authenticateRequest(authenticator, request, false));
  return authenticated.then(async (auth) => {
    if (typeof auth === 'string') return content({ rejected: auth });
    const { brokers, idField, areDeclared } = settings;
    const sender = { identity: auth, origin, plain: false };
    const permitted = settings.streams.filter((stream) => stream.permits(sender));
    const streams = areDeclared ? permitted.map((stream) => stream.name) : undefined;
    const chosen = permitted.find((stream) => stream.name === name) ?? permitted[0];
    if (chosen === undefined) return content({ streams });
    const { topic, keyField } = chosen;
    const stream = areDeclared ? chosen.name : undefined;
    const example = await chosen.example();
    return content({ streams, stream, topic, brokers, idField, keyField, example });
  });
}

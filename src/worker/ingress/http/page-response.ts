/**
 * `GET /page.json`, the settings of the test page, or `/page.json/NAME` for a stream. Readiness, as
 * in `/readyz`, and Kafka outages are public; streams and an example event are for clients that may
 * write to them. Where authentication is configured, topic and brokers require it.
 */
import type { OutageNotice, Readiness } from '../../../ipc.ts';
import type { Authenticator } from '../../admission/authenticator.ts';
import { ANONYMOUS, type Identity } from '../../admission/identity.ts';
import type { Example } from '../../example/example.ts';
import type { Sender } from '../../streams/stream.ts';
import { authenticateRequest } from '../authorize.ts';
import { streamNameIn } from '../paths.ts';
import { queryValues } from '../query.ts';
import type { HttpRequest } from '../transport/transport.ts';
import { jsonBody, type ResponseContent } from './responses.ts';

export const PAGE_PATH = '/page.json';

export interface PageSettings {
  readonly brokers: readonly string[];
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
  /** Field with the id of an event. */
  readonly idField: string;
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
  // The request is valid only until the first await.
  const name = streamNameIn(PAGE_PATH, request.getUrl());
  // Browsers send no Origin with a GET of the same origin: the page names its own.
  const origin = request.getHeader('origin') || (queryValues(request, 'origin')[0] ?? '');
  const permittedTo = (identity: Identity) =>
    settings.streams.filter((stream) => stream.permits({ identity, origin, plain: false }));
  const { brokers, areDeclared } = settings;
  const isAnonymous = authenticator.required && request.getHeader('authorization') === '';
  // The page starts without credentials: that is not worth a log line.
  if (isAnonymous && !(areDeclared && permittedTo(ANONYMOUS).length > 0)) {
    return Promise.resolve(content({ rejected: 'unauthorized' }));
  }
  const authenticated = Promise.resolve(authenticateRequest(authenticator, request, isAnonymous));
  return authenticated.then(async (auth) => {
    if (typeof auth === 'string') return content({ rejected: auth });
    const permitted = permittedTo(auth);
    const streams = areDeclared ? permitted.map((stream) => stream.name) : undefined;
    const chosen = permitted.find((stream) => stream.name === name) ?? permitted[0];
    if (chosen === undefined) return content({ streams });
    const { topic, keyField, idField } = chosen;
    const stream = areDeclared ? chosen.name : undefined;
    const place = isAnonymous ? { anonymous: true } : { topic, brokers };
    const example = await chosen.example();
    return content({ streams, stream, ...place, idField, keyField, example });
  });
}

/** Facts about the sender of a request or connection, for the headers of its records. */
import { randomUUID } from 'node:crypto';
import { LIMITS } from '../../config/limits.ts';
import type { HeaderName } from '../../streams/stream-file.ts';
import type { ConnectionAdmission } from '../admission/connections.ts';
import type { Identity } from '../admission/identity.ts';
import { headerText } from '../streams/header-text.ts';
import { type Facts, NO_PROVENANCE, Provenance } from '../streams/provenance.ts';
import { isTraceparent, isTracestate } from '../streams/trace-context.ts';
import type { HttpRequest, HttpResponse } from './transport/transport.ts';

const { requestIdChars } = LIMITS.recordHeaders;
const REQUEST_ID = new RegExp(`^[\\x21-\\x7e]{1,${requestIdChars}}$`);

/** A sender before its authentication, as far as its records depend on it. */
export interface ClientFacts {
  /** Undefined = no stream states any. */
  readonly facts: Facts | undefined;
  /** Number of its first events that may be repeats. */
  readonly resent: number;
}

/** Reads the values of headers that some stream's records state. */
export class FactReader {
  readonly #admission: Pick<ConnectionAdmission, 'addressOf' | 'isProxied'>;

  constructor(admission: Pick<ConnectionAdmission, 'addressOf' | 'isProxied'>) {
    this.#admission = admission;
  }

  /**
   * Reads the facts with the names of `headers`. Call it before the handler returns.
   * @returns undefined if there are none to read
   */
  read(
    headers: ReadonlySet<HeaderName>,
    transport: 'ws' | 'http',
    response: HttpResponse,
    request: HttpRequest,
  ): Facts | undefined {
    if (headers.size === 0) return undefined;
    const facts: Record<string, string> = { transport };
    for (const name of headers) {
      const value = this.#valueOf(name, response, request);
      if (value !== undefined && value !== '') facts[name] = value;
    }
    return facts;
  }

  #valueOf(name: HeaderName, response: HttpResponse, request: HttpRequest): string | undefined {
    switch (name) {
      case 'traceparent':
        return traceparentOf(request);
      case 'tracestate': {
        // It belongs to its traceparent.
        if (traceparentOf(request) === undefined) return undefined;
        const state = valuesOf(request, name).join(',');
        return isTracestate(state) ? state : undefined;
      }
      case 'request-id': {
        const isProxied = this.#admission.isProxied(response);
        const given = isProxied ? valuesOf(request, 'x-request-id') : [];
        return onlyIf(given, (text) => REQUEST_ID.test(text)) ?? randomUUID();
      }
      case 'client-ip':
        return this.#admission.addressOf(response, request).toString();
      case 'user-agent':
      case 'origin':
        return headerText(firstOf(request, name));
      case 'referer':
        return headerText(originOf(firstOf(request, name)));
      default:
        return undefined;
    }
  }
}

/** Returns the provenance of an authenticated sender's records. */
export function provenanceOf({ facts, resent }: ClientFacts, { name }: Identity): Provenance {
  if (facts === undefined && resent === 0) return NO_PROVENANCE;
  return new Provenance(
    name === '' ? (facts ?? {}) : { ...facts, identity: headerText(name) },
    resent,
  );
}

function traceparentOf(request: HttpRequest): string | undefined {
  return onlyIf(valuesOf(request, 'traceparent'), isTraceparent);
}

/** Returns the first value, as UTF-8: uWebSockets.js decodes it as Latin-1 in `getHeader`. */
function firstOf(request: HttpRequest, wanted: string): string {
  return valuesOf(request, wanted)[0] ?? '';
}

function valuesOf(request: HttpRequest, wanted: string): string[] {
  const values: string[] = [];
  request.forEach((name, value) => {
    if (name === wanted) values.push(value);
  });
  return values;
}

/** Returns the only value, if it is valid. */
function onlyIf(values: readonly string[], isValid: (text: string) => boolean): string | undefined {
  const [value, ...more] = values;
  return value !== undefined && more.length === 0 && isValid(value) ? value : undefined;
}

/** Returns the origin of an address; '' = it has none. */
function originOf(address: string): string {
  if (!URL.canParse(address)) return '';
  const { origin } = new URL(address);
  return origin === 'null' ? '' : origin;
}

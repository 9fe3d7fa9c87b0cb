/**
 * Read-only client of a schema registry with Confluent's REST API. It follows no redirects, so that
 * credentials reach one host only, and bounds time and length of each response.
 */
import { readFile } from 'node:fs/promises';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { boundedMessage, systemReason } from '../common/errors.ts';
import { isObject, type JsonObject } from '../common/json-object.ts';
import { printable } from '../common/printable.ts';
import { textOf } from '../config/secret-files.ts';
import type { VersionName } from '../streams/stream-file.ts';
import { REGISTRY_LIMITS } from './limits.ts';

/** The registry did not answer as its API describes: a later request may succeed. */
export class RegistryUnavailable extends Error {}

/** The registry answered, and the version is not usable until it changes. */
export class UnusableVersion extends Error {}

/** A schema as another one refers to it. */
export interface SchemaReference {
  /** Text of the `$ref`, without a fragment. */
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

/** A version of a subject, as the registry returned it. */
export interface SubjectVersion {
  readonly version: number;
  /** Id of the schema in the registry: 0 to 2^31 - 1. */
  readonly id: number;
  /** Undefined = the registry has none: Confluent's has since version 8.0. */
  readonly guid: string | undefined;
  /** The JSON Schema. */
  readonly schema: string;
  readonly references: readonly SchemaReference[];
  /** Validator of the response for a conditional request, if any. */
  readonly etag: string | undefined;
}

export interface RegistryClientOptions {
  /** Base URL; its path is a prefix. */
  readonly url: URL;
  /** File with `user:password` or a bearer token; read for each request. */
  readonly authFile?: string | undefined;
  /** CA certificates in PEM; undefined = those of Node.js. */
  readonly ca?: string | undefined;
  readonly timeoutMs?: number;
}

/** Response to a GET of the API. */
type Answer = { readonly content: unknown; readonly etag: string | undefined } | 'unchanged';

export class RegistryClient {
  readonly #options: RegistryClientOptions;
  readonly #agent: HttpAgent;

  constructor(options: RegistryClientOptions) {
    this.#options = options;
    const { connections: maxSockets } = REGISTRY_LIMITS;
    const { ca } = options;
    this.#agent =
      options.url.protocol === 'https:'
        ? new HttpsAgent({ maxSockets, ...(ca !== undefined && { ca }) })
        : new HttpAgent({ maxSockets });
  }

  /** Base URL without credentials, for messages. */
  get address(): string {
    const { origin, pathname } = this.#options.url;
    return pathname === '/' ? origin : `${origin}${pathname}`;
  }

  /** Returns the signal that ends the requests for one schema in time. */
  deadline(): AbortSignal {
    return AbortSignal.timeout(this.#timeoutMs);
  }

  get #timeoutMs(): number {
    return this.#options.timeoutMs ?? REGISTRY_LIMITS.timeoutMs;
  }

  /**
   * Reads a version of a subject.
   * @param etag of the version that is known already
   * @returns undefined if it is still that one
   * @throws RegistryUnavailable, or UnusableVersion if it is no JSON Schema or does not exist;
   * their messages have no subject
   */
  async read(
    subject: string,
    version: VersionName,
    signal: AbortSignal,
    etag?: string,
  ): Promise<SubjectVersion | undefined> {
    const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`;
    const answer = await this.#get(path, signal, etag);
    if (answer === 'unchanged') return undefined;
    const found = versionIn(answer.content, answer.etag);
    if (version === 'latest' || found.version === version) return found;
    throw new RegistryUnavailable(`the registry returned version ${found.version}`);
  }

  async #get(path: string, signal: AbortSignal, etag: string | undefined): Promise<Answer> {
    try {
      const headers: Record<string, string> = { Accept: ACCEPT, 'User-Agent': 'forebay' };
      const authorization = await this.#authorization();
      if (authorization !== undefined) headers.Authorization = authorization;
      if (etag !== undefined) headers['If-None-Match'] = etag;
      const response = await this.#send(path, headers, signal);
      return await answerOf(response);
    } catch (error) {
      if (error instanceof RegistryUnavailable || error instanceof UnusableVersion) throw error;
      const isLate = signal.aborted;
      const reason = isLate ? `no response within ${this.#timeoutMs} ms` : systemReason(error);
      throw new RegistryUnavailable(reason);
    }
  }

  #send(
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const { url } = this.#options;
    const target = new URL(url);
    target.pathname = `${url.pathname.replace(/\/$/, '')}${path}`;
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const request = send(target, { headers, signal, agent: this.#agent }, resolve);
      request.on('error', reject).end();
    });
  }

  /** @throws RegistryUnavailable, whose message never has the content of the file */
  async #authorization(): Promise<string | undefined> {
    const { authFile } = this.#options;
    if (authFile === undefined) return undefined;
    let credentials: string;
    try {
      credentials = textOf(await readFile(authFile));
    } catch (error) {
      throw new RegistryUnavailable(`${authFile} cannot be read: ${systemReason(error)}`);
    }
    const authorization = authorizationOf(credentials);
    if (authorization !== undefined) return authorization;
    throw new RegistryUnavailable(`${authFile} must have one line: user:password, or a token`);
  }
}

const ACCEPT = 'application/vnd.schemaregistry.v1+json, application/json';

/**
 * Returns the header for the content of a credentials file: a text with a colon is `user:password`,
 * any other a bearer token, which cannot have one. Undefined if it is neither.
 */
export function authorizationOf(content: string): string | undefined {
  const line = content.replace(/\r?\n$/, '');
  if (line.includes(':')) {
    const isLine = line !== ':' && !/[\r\n]/.test(line);
    return isLine ? `Basic ${Buffer.from(line).toString('base64')}` : undefined;
  }
  // The characters of RFC 6750.
  return /^[A-Za-z0-9._~+/-]+=*$/.test(line) ? `Bearer ${line}` : undefined;
}

async function answerOf(response: IncomingMessage): Promise<Answer> {
  const { statusCode: status = 0, headers } = response;
  if (status === 304 || (status >= 300 && status < 400)) {
    response.destroy();
    if (status === 304) return 'unchanged';
    throw new RegistryUnavailable(`redirected${placeOf(headers.location)} (${status})`);
  }
  const { bytes: maxBytes } = REGISTRY_LIMITS;
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Leaving the loop closes the connection.
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new RegistryUnavailable(`the response is longer than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  const content = parsed(Buffer.concat(chunks).toString('utf8'));
  if (status === 200) return { content, etag: headers.etag };
  throw failureOf(status, content);
}

/** Names the host of a redirect; the rest of a location may be secret. */
function placeOf(location: string | undefined): string {
  if (location === undefined || !URL.canParse(location)) return '';
  return ` to ${new URL(location).origin}, which is not followed`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Errors of the API that last until the registry changes. */
const ABSENT: Readonly<Record<number, string>> = {
  40401: 'the registry has no such subject',
  40402: 'the registry has no such version',
  40403: 'the registry has no such schema',
};

function failureOf(status: number, content: unknown): Error {
  const { error_code: code, message } = isObject(content) ? content : {};
  const absent = typeof code === 'number' ? ABSENT[code] : undefined;
  if (status === 404 && absent !== undefined) return new UnusableVersion(`${absent} (${code})`);
  const text = typeof message === 'string' ? `: ${boundedMessage(printable(message))}` : '';
  const about = status === 401 || status === 403 ? 'the registry refused access' : 'response';
  return new RegistryUnavailable(`${about} ${status}${text}`);
}

const ID_MAX = 2 ** 31 - 1;
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** @throws RegistryUnavailable for anything else, and UnusableVersion for other types of schemas */
function versionIn(content: unknown, etag: string | undefined): SubjectVersion {
  const invalid = (what: string) =>
    new RegistryUnavailable(`the response is not one of a schema registry: ${what}`);
  if (!isObject(content)) throw invalid('no JSON object');
  const { version, id, guid, schema, schemaType = 'AVRO', references } = content;
  if (!isWithin(version, 1)) throw invalid('version');
  if (typeof schema !== 'string') throw invalid('schema');
  if (schemaType !== 'JSON') {
    const type = printable(String(schemaType)).slice(0, 20);
    throw new UnusableVersion(`version ${version} has the type ${type}; JSON is required`);
  }
  if (!isWithin(id, 0)) throw invalid('id');
  const isGuid = typeof guid === 'string' && GUID.test(guid);
  if (guid !== undefined && guid !== null && !isGuid) throw invalid('guid');
  return {
    version,
    id,
    guid: isGuid ? guid.toLowerCase() : undefined,
    schema,
    references: [references ?? []].flat().map((reference) => {
      if (!isReference(reference)) throw invalid('references');
      const { name, subject, version: ofReference } = reference;
      return { name, subject, version: ofReference };
    }),
    etag,
  };
}

function isWithin(value: unknown, min: number): value is number {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= ID_MAX;
}

function isReference(value: unknown): value is SchemaReference & JsonObject {
  if (!isObject(value)) return false;
  const { name, subject, version } = value;
  return typeof name === 'string' && typeof subject === 'string' && isWithin(version, 1);
}

/**
 * Smoke tests of one form of distribution: dist/, the tarball or the image. Every schema draft,
 * TLS, a JWKS, each codec of Kafka, a gzip body and MessagePack at least once, from the client's
 * bytes to the records in Kafka.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { type CodecName, loadCodec } from '../../src/kafka/compression/codecs.ts';
import { Authority } from '../../testing/certificates.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { readTopic } from '../../testing/topic.ts';
import { AUDIENCE, ISSUER, Issuer, JwksServer, keySetOf } from './issuer.ts';

/** A ready gateway of that form on 127.0.0.1. */
export interface Running {
  readonly port: number;
  /** SIGTERM. @returns the exit code */
  stop(): Promise<number | null>;
}

export interface Settings {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly env: Readonly<Record<string, string>>;
  /** The only folder of files named in `env`. */
  readonly folder: string;
}

interface Smoke {
  readonly $schema: string;
  /** A keyword of that draft that makes 5 an error in `n`. */
  readonly n: object;
  readonly codec: CodecName | 'none';
  readonly secure?: boolean;
}

const SMOKES: readonly Smoke[] = [
  {
    $schema: 'http://json-schema.org/draft-04/schema#',
    n: { maximum: 5, exclusiveMaximum: true },
    codec: 'gzip',
    secure: true,
  },
  { $schema: 'http://json-schema.org/draft-06/schema#', n: { const: 4 }, codec: 'lz4' },
  {
    $schema: 'http://json-schema.org/draft-07/schema#',
    n: { if: { maximum: 4 }, else: false },
    codec: 'snappy',
    secure: true,
  },
  {
    $schema: 'https://json-schema.org/draft/2019-09/schema',
    n: { $ref: '#/$defs/small' },
    codec: 'none',
  },
  {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    n: { $ref: '#/$defs/small' },
    codec: 'none',
    secure: true,
  },
  {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    n: { $ref: '#small' },
    codec: 'zstd',
  },
];

/** Target of a reference in two drafts; an unknown keyword in the others. */
const SMALL = { $defs: { small: { $dynamicAnchor: 'small', maximum: 4 } } };

/** Declares the tests of the form started by `start`. */
export function smokeTests(start: (settings: Settings) => Promise<Running>): void {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-shipped-'));
  let issuer: Issuer;
  let jwks: JwksServer;
  let ca: Buffer;
  /** Settings of TLS and JWT. */
  let security: Readonly<Record<string, string>>;

  before(async () => {
    const authority = new Authority();
    ca = authority.ca;
    const { certFile, keyFile } = authority.issue('localhost');
    issuer = await Issuer.create('smoke');
    jwks = await new JwksServer(keySetOf(issuer)).listen();
    security = {
      FOREBAY_TLS_CERT_FILE: share('cert.pem', readFileSync(certFile)),
      FOREBAY_TLS_KEY_FILE: share('key.pem', readFileSync(keyFile)),
      FOREBAY_JWT_JWKS_URL: jwks.url,
      FOREBAY_JWT_AUDIENCE: AUDIENCE,
      FOREBAY_JWT_ISSUER: ISSUER,
    };
    // The image runs as another user.
    chmodSync(folder, 0o755);
  });
  after(() => {
    jwks.close();
    rmSync(folder, { recursive: true });
  });

  function share(name: string, content: string | Buffer): string {
    const path = join(folder, name);
    writeFileSync(path, content, { mode: 0o644 });
    return path;
  }

  for (const smoke of SMOKES) {
    const { $schema, n, codec, secure = false } = smoke;
    const title = `${$schema}, ${codec}${secure ? ', TLS, a JWT' : ''}: events are judged and stored`;
    test(title, { skip: missingCodec(codec) }, async () => {
      const { brokers } = await sharedKafka();
      const topic = uniqueTopic();
      const schema = { $schema, type: 'object', required: ['n'], properties: { n }, ...SMALL };
      const env = {
        FOREBAY_EVENT_SCHEMA: share('schema.json', JSON.stringify(schema)),
        KAFKA_COMPRESSION: codec,
        ...(secure ? security : {}),
      };
      const { port, stop } = await start({ brokers, topic, env, folder });
      const headers = secure ? { Authorization: `Bearer ${await issuer.token()}` } : {};
      const post = (type: string, body: string | Uint8Array, more = {}) =>
        ask(
          {
            port,
            ca: secure ? ca : undefined,
            headers: { ...headers, 'Content-Type': type, ...more },
          },
          body,
        );
      try {
        const codes = ({ errors }: Answer) => errors.map(({ code }) => code);
        const json = await post('application/json', '[{"n":4,"id":"json"},{"n":5}]');
        assert.deepEqual([json.status, json.accepted, codes(json)], [207, 1, ['schema']]);
        const packed = await post(
          'application/msgpack',
          encode([{ n: 5 }, { n: 4, id: 'packed' }]),
        );
        assert.deepEqual([packed.status, packed.accepted, codes(packed)], [207, 1, ['schema']]);
        const zipped = await post('application/json', gzipSync('[{"n":4,"id":"gzip"},{"n":5}]'), {
          'Content-Encoding': 'gzip',
        });
        assert.deepEqual([zipped.status, zipped.accepted, codes(zipped)], [207, 1, ['schema']]);
        if (secure) {
          headers.Authorization = 'Bearer e30.e30.';
          assert.equal((await post('application/json', '{"n":4}')).status, 401);
        }
      } finally {
        assert.equal(await stop(), 0);
      }
      const values = (await readTopic({ brokers, topic })).map(({ value }) => String(value));
      const stored = ['gzip', 'json', 'packed'].map((id) => `{"n":4,"id":"${id}"}`);
      assert.deepEqual(values.sort(), stored);
    });
  }
}

/** Returns the reason why this host cannot read the codec's records back. */
function missingCodec(codec: CodecName | 'none'): string | undefined {
  if (codec === 'none') return undefined;
  try {
    loadCodec(codec);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

interface Answer {
  readonly status: number | undefined;
  readonly accepted: number;
  readonly errors: readonly { readonly code: string }[];
}

interface Request {
  readonly port: number;
  /** Undefined = without TLS. */
  readonly ca: Buffer | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

async function ask({ port, ca, headers }: Request, body: string | Uint8Array): Promise<Answer> {
  const options = { port, host: '127.0.0.1', path: '/events', method: 'POST', headers };
  const sent = ca === undefined ? httpRequest(options) : httpsRequest({ ...options, ca });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return { status: response.statusCode, ...(JSON.parse(text) as Omit<Answer, 'status'>) };
}

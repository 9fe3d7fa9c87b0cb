import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  encodingOf as encodingOfRequest,
  type MediaType,
  mediaTypeOf,
} from '../../../../src/worker/ingress/http/content-types.ts';
import type { ResponseContent } from '../../../../src/worker/ingress/http/responses.ts';
import type { HttpRequest } from '../../../../src/worker/ingress/transport/transport.ts';
import { HAS_ZSTD } from '../../../support/zstd.ts';

const TEXT = mediaTypeOf('') as MediaType;
const LINES = mediaTypeOf('application/x-ndjson') as MediaType;
const PACKED = mediaTypeOf('application/msgpack') as MediaType;

function nameOf(contentType: string): string {
  const media = mediaTypeOf(contentType);
  if ('status' in media) return `${media.status}`;
  const names = new Map([
    [TEXT, 'text'],
    [LINES, 'lines'],
    [PACKED, 'msgpack'],
  ]);
  return names.get(media)!;
}

function assertAll(expected: string, contentTypes: readonly string[]): void {
  for (const type of contentTypes) {
    for (const written of [type, type.toUpperCase(), ` ${type} `, `${type};`, `${type} ; a=b`]) {
      assert.equal(nameOf(written), expected, JSON.stringify(written));
    }
  }
}

const messageOf = (content: ResponseContent) =>
  (JSON.parse(`${content.body}`) as { error: { message: string } }).error.message;

test('the three kinds of bodies differ', () => {
  assert.equal(new Set([TEXT, LINES, PACKED]).size, 3);
});

test('every JSON type is a text frame', () => {
  assertAll('text', [
    '',
    'application/json',
    'text/plain',
    'text/json',
    'text/x-json',
    'application/x-json',
    'application/cloudevents+json',
    'application/cloudevents-batch+json',
    'application/vnd.api+json',
    'application/vnd.kafka.json.v2+json',
    'application/ld+json',
    'application/problem+json',
    'application/csp-report+json',
    'application/x.y-z+a+json',
  ]);
});

test('NDJSON has many names', () => {
  for (const tree of ['application', 'text']) {
    for (const name of ['ndjson', 'jsonl', 'jsonlines', 'json-lines']) {
      assertAll('lines', [`${tree}/${name}`, `${tree}/x-${name}`]);
    }
  }
});

test('MessagePack has several names', () => {
  assertAll('msgpack', [
    'application/msgpack',
    'application/x-msgpack',
    'application/vnd.msgpack',
    'application/messagepack',
    'application/x-messagepack',
  ]);
});

test('other types are 415, and the response lists the supported ones', () => {
  const others = [
    'application/x-www-form-urlencoded',
    'application/octet-stream',
    'application/json-seq',
    'application/geo+json-seq',
    'application/vnd.a+jsonl',
    'application/+json',
    '/a+json',
    'a b/c+json',
    'application/a/b+json',
    'application/xml',
    'application/json, application/json',
    'application/jsonx',
    'application/vnd.json',
    'json',
    'constructor',
    '__proto__',
    'text/html',
    'multipart/form-data',
  ];
  assertAll('415', others);
  const content = mediaTypeOf('application/json-seq') as ResponseContent;
  const types = 'application/json, text/plain, application/x-ndjson, application/msgpack';
  assert.equal(
    messageOf(content),
    `this content type or encoding is not supported: send ${types} or no type`,
  );
  assert.deepEqual(content.headers, { Accept: types });
});

test('a UTF-8 charset is accepted, quoted too; ASCII is UTF-8', () => {
  for (const parameters of [
    'charset=utf-8',
    ' charset=UTF-8',
    'Charset="utf-8"',
    ' charset = "UTF-8" ',
    'charset=utf8',
    "charset='utf-8'",
    'charset=us-ascii',
    'charset=',
    'charset=""',
    'version=1; charset=utf-8; profile="a;charset=latin1"',
    'profile="\\";charset=latin1"',
    'charset',
    'xcharset=latin1',
    '=',
    '"',
  ]) {
    assert.equal(nameOf(`application/json;${parameters}`), 'text', parameters);
    assert.equal(nameOf(`application/x-ndjson;${parameters}`), 'lines', parameters);
    assert.equal(nameOf(`text/plain  ;${parameters}`), 'text', parameters);
  }
});

test('another charset of text is 415 with its name; MessagePack ignores it', () => {
  for (const [parameters, charset] of [
    ['charset=iso-8859-1', 'iso-8859-1'],
    [' charset="UTF-16LE"', 'UTF-16LE'],
    ['a=b;CHARSET=windows-1252', 'windows-1252'],
    ['charset=utf-8;charset=latin1', 'latin1'],
    ["charset='latin1'", 'latin1'],
    [`charset=${'x'.repeat(99)}`, 'x'.repeat(40)],
  ]) {
    for (const type of ['application/json', 'text/plain', 'application/ndjson', 'a/b+json', '']) {
      const content = mediaTypeOf(`${type};${parameters}`) as ResponseContent;
      assert.equal(content.status, 415, `${type};${parameters}`);
      assert.match(messageOf(content), new RegExp(`: charset ${charset}: send UTF-8$`));
    }
    assert.equal(nameOf(`application/x-msgpack;${parameters}`), 'msgpack');
  }
});

test('a pathological header of 16 KiB is parsed in linear time', () => {
  const start = performance.now();
  for (const piece of [';', '; ', ';a=', ';a="', ';a="\\', '+', 'a+json', ';charset ', ' ', '"']) {
    mediaTypeOf(`application/json;${piece.repeat(16_384 / piece.length)}`);
    mediaTypeOf(`application/${piece.repeat(16_384 / piece.length)}+json`);
  }
  assert(performance.now() - start < 2_000, `${performance.now() - start} ms`);
});

/** @param lines values of the header, in one request */
function encodingOf(...lines: string[]) {
  const name = 'content-encoding';
  const request = {
    getHeader: (asked: string) => (asked === name ? (lines[0] ?? '') : 'gzip'),
    forEach: (visit: (name: string, value: string) => void) => {
      visit('accept-encoding', 'br');
      for (const line of lines) visit(name, line);
    },
  };
  return encodingOfRequest(request as HttpRequest);
}

const LIST = `gzip, deflate, br${HAS_ZSTD ? ', zstd' : ''}`;

test('encodings are parsed in any letter case, and in lists with one encoding', () => {
  for (const [header, encoding] of [
    ['', 'identity'],
    [' ', 'identity'],
    ['identity', 'identity'],
    ['Identity, identity', 'identity'],
    [',', 'identity'],
    ['gzip', 'gzip'],
    ['GZIP', 'gzip'],
    ['x-gzip', 'gzip'],
    ['X-GZip ', 'gzip'],
    ['deflate', 'deflate'],
    ['Br', 'br'],
    ['identity, br', 'br'],
    ['gzip, identity,', 'gzip'],
    ...(HAS_ZSTD ? [['ZSTD', 'zstd']] : []),
  ]) {
    assert.equal(encodingOf(header!), encoding, JSON.stringify(header));
  }
});

test('other encodings, and several, are 415 with the list of supported ones', () => {
  const twice = encodingOf('gzip', 'gzip') as ResponseContent;
  assert.match(messageOf(twice), /send one of .*, not several$/, 'in two headers');
  assert.equal(encodingOf('identity', 'gzip'), 'gzip');
  const taken = 'this content type or encoding is not supported: send ';
  const others = ['compress', 'brotli', 'gzip;q=1', 'g zip', 'constructor', '*', 'aws-chunked'];
  for (const header of [...others, ...(HAS_ZSTD ? [] : ['zstd'])]) {
    const content = encodingOf(header) as ResponseContent;
    assert.equal(content.status, 415, header);
    assert.equal(messageOf(content), `${taken}${LIST} or no Content-Encoding`);
    assert.deepEqual(content.headers, { 'Accept-Encoding': LIST });
  }
  for (const header of ['gzip, gzip', 'gzip,br', 'deflate, identity, x-gzip', 'gzip, compress']) {
    const content = encodingOf(header) as ResponseContent;
    assert.equal(content.status, 415, header);
    assert.equal(messageOf(content), `${taken}one of ${LIST}, not several`);
    assert.deepEqual(content.headers, { 'Accept-Encoding': LIST });
  }
});

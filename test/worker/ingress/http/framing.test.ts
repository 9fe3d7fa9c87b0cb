import assert from 'node:assert/strict';
import { test } from 'node:test';
import { framingFault, handshakeFault } from '../../../../src/worker/ingress/http/framing.ts';
import type { HttpRequest } from '../../../../src/worker/ingress/transport/transport.ts';

type Header = readonly [name: string, value: string];

/** A request with these headers, as uWebSockets.js reports it: names in lower case. */
function requestWith(headers: readonly Header[], method = 'POST'): HttpRequest {
  return {
    getCaseSensitiveMethod: () => method,
    getUrl: () => '/events',
    getQuery: () => '',
    getHeader: (wanted) => headers.find(([name]) => name === wanted)?.[1] ?? '',
    forEach: (take) => {
      for (const [name, value] of headers) take(name, value);
    },
  };
}

const faultOf = (...headers: Header[]) => framingFault(requestWith(headers));

test('a length, chunked in any letter case, or neither is unambiguous', () => {
  assert.equal(faultOf(), undefined);
  for (const length of ['0', '17', '0017', '999999999999999']) {
    assert.equal(faultOf(['content-length', length]), undefined);
  }
  for (const encoding of ['chunked', 'Chunked', 'CHUNKED']) {
    assert.equal(faultOf(['transfer-encoding', encoding]), undefined);
  }
});

test('a Content-Length that is not a number is rejected, including an empty one', () => {
  const wrong = ['', '+1', '-1', '1.0', '0x1', '1 2', '1,1', 'ten', '1'.repeat(16), '１', '1\n'];
  for (const length of wrong) {
    assert.equal(faultOf(['content-length', length]), 'Content-Length must be a number', length);
  }
});

test('a Transfer-Encoding other than chunked is rejected, including an empty one', () => {
  for (const encoding of ['', 'xchunked', 'chunked, identity', 'gzip, chunked', 'identity']) {
    assert.equal(
      faultOf(['transfer-encoding', encoding]),
      'Transfer-Encoding must be chunked',
      encoding,
    );
  }
});

test('a repeated length is rejected, even an equal one', () => {
  const [one, two] = [
    ['content-length', '1'],
    ['content-length', '2'],
  ] as const;
  const [chunked, empty] = [
    ['transfer-encoding', 'chunked'],
    ['content-length', ''],
  ] as const;
  for (const headers of [
    [one, one],
    [one, two],
    [empty, one],
    [chunked, chunked],
    [chunked, one],
    [empty, chunked],
  ]) {
    assert.equal(faultOf(...headers), 'the length of the body is given more than once');
  }
});

test('a repeated Forebay-Resent is rejected, also behind an empty one', () => {
  for (const values of [
    ['', '1'],
    ['1', ''],
    ['0', '1'],
    ['1', '1'],
  ]) {
    const headers = values.map((value): Header => ['forebay-resent', value]);
    assert.equal(faultOf(...headers), 'Forebay-Resent is given more than once', values.join());
    assert.equal(faultOf(headers[0]!, ['content-length', '2']), undefined);
  }
});

test('only POST may have a chunked body', () => {
  for (const method of ['get', 'head', 'options', 'put', 'delete']) {
    const request = requestWith([['transfer-encoding', 'chunked']], method);
    assert.equal(framingFault(request), 'only POST may have a chunked body');
    assert.equal(framingFault(requestWith([['content-length', '1']], method)), undefined);
  }
});

const HANDSHAKE: readonly Header[] = [
  ['upgrade', 'websocket'],
  ['connection', 'Upgrade'],
  ['sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ=='],
  ['sec-websocket-version', '13'],
];

/** Returns the fault of a handshake with this header replaced or added. */
function handshakeWith(name: string, ...values: string[]): string | undefined {
  const others = HANDSHAKE.filter(([other]) => other !== name);
  const own = values.map((value): Header => [name, value]);
  return handshakeFault(requestWith([...others, ...own], 'GET'));
}

test('a handshake requests the upgrade, by tokens in any letter case and order', () => {
  assert.equal(handshakeFault(requestWith(HANDSHAKE, 'get')), undefined);
  for (const value of ['WebSocket', 'h2c, websocket', ' websocket ']) {
    assert.equal(handshakeWith('upgrade', value), undefined, value);
  }
  for (const value of ['keep-alive, Upgrade', 'UPGRADE', 'upgrade,']) {
    assert.equal(handshakeWith('connection', value), undefined, value);
  }
  assert.equal(handshakeWith('connection', 'keep-alive', 'Upgrade'), undefined, 'in two headers');
  for (const values of [[], [''], ['websockets'], ['h2c'], ['web socket']]) {
    assert.equal(handshakeWith('upgrade', ...values), 'Upgrade must be websocket');
  }
  for (const values of [[], [''], ['keep-alive'], ['upgraded'], ['close']]) {
    assert.equal(handshakeWith('connection', ...values), 'Connection must name Upgrade');
  }
});

test('a handshake has one key of 16 bytes, at most one version and no body', () => {
  const key = 'dGhlIHNhbXBsZSBub25jZQ==';
  for (const keys of [
    [],
    [''],
    [key, key],
    [key.slice(1)],
    [key.replace('=', 'A')],
    ['%'.repeat(24)],
  ]) {
    assert.equal(
      handshakeWith('sec-websocket-key', ...keys),
      'Sec-WebSocket-Key must be 16 bytes in Base64',
    );
  }
  for (const versions of [
    ['13', '8'],
    ['13', '13'],
  ]) {
    const fault = handshakeWith('sec-websocket-version', ...versions);
    assert.equal(fault, 'Sec-WebSocket-Version is given more than once');
  }
  assert.equal(handshakeWith('content-length', '0'), undefined);
  assert.equal(handshakeWith('content-length', '5'), 'a handshake must not have a body');
  assert.equal(handshakeWith('transfer-encoding', 'chunked'), 'a handshake must not have a body');
});

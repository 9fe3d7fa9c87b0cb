import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../../../src/common/ip-addresses.ts';
import { HEADER_NAMES, type HeaderName } from '../../../src/streams/stream-file.ts';
import { ANONYMOUS, Identity } from '../../../src/worker/admission/identity.ts';
import { FactReader, provenanceOf } from '../../../src/worker/ingress/client-facts.ts';
import type { HttpResponse } from '../../../src/worker/ingress/transport/transport.ts';
import { NO_PROVENANCE } from '../../../src/worker/streams/provenance.ts';
import { type Lines, requestOf } from '../../support/request.ts';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const OTHER_TRACE = '00-11111111111111111111111111111111-2222222222222222-00';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Facts of a request with these headers, from a peer that is a trusted proxy or not. */
function factsOf(
  headers: Lines,
  { isProxied = false, names = HEADER_NAMES as readonly HeaderName[] } = {},
) {
  const address = parseAddress('203.0.113.77')!;
  const reader = new FactReader({ addressOf: () => address, isProxied: () => isProxied });
  return reader.read(new Set(names), 'http', {} as HttpResponse, requestOf(headers))!;
}

test('nothing is read without headers; otherwise the transport, and what is asked for', () => {
  const headers = [['User-Agent', 'curl/8']] as const;
  assert.equal(factsOf(headers, { names: [] }), undefined);
  assert.deepEqual(factsOf(headers, { names: ['received'] }), { transport: 'http' });
  assert.deepEqual(factsOf(headers, { names: ['user-agent'] }), {
    transport: 'http',
    'user-agent': 'curl/8',
  });
});

test('a traceparent counts if there is one, and it is valid', () => {
  const traceOf = (...lines: Lines) => {
    const { traceparent, tracestate } = factsOf(lines);
    return [traceparent, tracestate];
  };
  const none = [undefined, undefined];
  assert.deepEqual(traceOf(['traceparent', TRACE]), [TRACE, undefined]);
  assert.deepEqual(traceOf(['TraceParent', TRACE], ['tracestate', 'a=1']), [TRACE, 'a=1']);
  assert.deepEqual(traceOf(['tracestate', 'a=1'], ['traceparent', TRACE]), [TRACE, 'a=1']);
  for (const [first, second] of [
    [TRACE, TRACE],
    [TRACE, OTHER_TRACE],
    [TRACE, 'x'],
    ['x', TRACE],
    ['', TRACE],
  ] as const) {
    assert.deepEqual(traceOf(['traceparent', first], ['traceparent', second]), none);
    const between = [
      ['traceparent', first],
      ['tracestate', 'a=1'],
      ['traceparent', second],
    ] as const;
    assert.deepEqual(traceOf(...between), none);
  }
  assert.deepEqual(traceOf(['traceparent', TRACE.toUpperCase()], ['tracestate', 'a=1']), none);
  assert.deepEqual(traceOf(['tracestate', 'a=1']), none);
});

test('several tracestate headers are one list', () => {
  const stateOf = (...values: string[]) => {
    const lines = values.map((value) => ['tracestate', value] as const);
    return factsOf([['traceparent', TRACE], ...lines]).tracestate;
  };
  assert.equal(stateOf('a=1', 'b=2,c=3'), 'a=1,b=2,c=3');
  assert.equal(stateOf('a=1', '', 'b=2'), 'a=1,,b=2');
  assert.equal(stateOf('a=1', 'wrong'), undefined);
  assert.equal(stateOf(`a=${'x'.repeat(250)}`, `b=${'y'.repeat(258)}`), undefined);
  // A stream may state it without its traceparent, which still decides.
  const names = ['tracestate'] as const;
  const lines = [
    ['traceparent', TRACE],
    ['tracestate', 'a=1'],
  ] as const;
  assert.equal(factsOf(lines, { names }).tracestate, 'a=1');
  assert.equal(factsOf(lines.slice(1), { names }).tracestate, undefined);
});

test('the id of a request comes from a trusted proxy, if it is usable, otherwise it is new', () => {
  const idOf = (values: readonly string[], isProxied: boolean) => {
    const lines = values.map((value) => ['X-Request-Id', value] as const);
    return factsOf(lines, { isProxied })['request-id'];
  };
  const longest = 'x'.repeat(128);
  for (const id of ['a', longest, '!~/{}"']) {
    assert.equal(idOf([id], true), id);
    assert.match(idOf([id], false)!, UUID);
  }
  for (const values of [
    [],
    [''],
    ['a b'],
    ['é'],
    [`${longest}x`],
    ['a\tb'],
    ['a', 'a'],
    ['a', 'b'],
  ]) {
    assert.match(idOf(values, true)!, UUID, JSON.stringify(values));
  }
  assert.notEqual(idOf([], true), idOf([], true));
});

test('texts have no control characters and up to 256 bytes; bytes that are no UTF-8 are replaced', () => {
  const agentOf = (latin1: string) => factsOf([['User-Agent', latin1]])['user-agent'];
  assert.equal(agentOf('a\tb'), 'a b');
  assert.equal(agentOf('\xff\xfeok'), '\ufffd\ufffdok');
  assert.equal(agentOf(Buffer.from('日本').toString('latin1')), '日本');
  assert.equal(agentOf(Buffer.from('é'.repeat(200)).toString('latin1')), 'é'.repeat(128));
  assert.equal(agentOf(''), undefined);
});

test('a referer has no path and no credentials', () => {
  for (const [referer, origin] of [
    ['https://shop.example/cart?token=secret#top', 'https://shop.example'],
    ['http://shop.example:8080/', 'http://shop.example:8080'],
    ['https://user:secret@shop.example/', 'https://shop.example'],
    ['data:text/html,secret', undefined],
    ['file:///home/secret', undefined],
    ['/cart', undefined],
    ['secret', undefined],
  ] as const) {
    assert.equal(factsOf([['Referer', referer]]).referer, origin, referer);
  }
});

test('the name of the identity is a fact of every sender that has one', () => {
  const named = new Identity('shop', Infinity);
  assert.deepEqual(provenanceOf({ facts: { transport: 'ws' }, resent: 3 }, named).facts, {
    transport: 'ws',
    identity: 'shop',
  });
  assert.equal(provenanceOf({ facts: undefined, resent: 0 }, named), NO_PROVENANCE);
  assert.equal(provenanceOf({ facts: undefined, resent: 2 }, ANONYMOUS).resent, 2);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proxyHeaderOf } from '../../../../src/worker/ingress/transport/node/proxy-header.ts';
import { proxyHeader } from '../../../support/proxy-header.ts';

const REQUEST = Buffer.from('GET / HTTP/1.1\r\n\r\n');

function parse(...parts: Buffer[]) {
  const header = proxyHeaderOf(Buffer.concat(parts));
  return typeof header === 'object' ? [header.bytes, ...new Uint8Array(header.address)] : header;
}

test('IPv4 and IPv6 addresses, with and without what follows', () => {
  const ipv4 = proxyHeader('192.0.2.1');
  const ipv6 = proxyHeader('2001:db8::1');
  const bytes = [0x20, 0x01, 0x0d, 0xb8, ...new Array(11).fill(0), 1];
  assert.deepEqual(parse(ipv4), [28, 192, 0, 2, 1]);
  assert.deepEqual(parse(ipv4, REQUEST), [28, 192, 0, 2, 1]);
  assert.deepEqual(parse(ipv6, REQUEST), [52, ...bytes]);
});

test('each prefix of a header is incomplete; other bytes are no header', () => {
  const header = proxyHeader('192.0.2.1');
  for (let bytes = 1; bytes < header.length; bytes++) {
    assert.equal(parse(header.subarray(0, bytes)), 'incomplete', `${bytes} bytes`);
  }
  assert.equal(parse(REQUEST), undefined);
  assert.equal(parse(Buffer.from('\r\n\r\nGET')), undefined);
});

test('LOCAL and other families have no address; other versions and lengths are invalid', () => {
  const changed = (offset: number, ...values: number[]) => {
    const header = proxyHeader('192.0.2.1');
    header.set(values, offset);
    return parse(header);
  };
  assert.deepEqual(changed(12, 0x20), [28]);
  assert.deepEqual(changed(13, 0x00), [28]);
  assert.deepEqual(changed(13, 0x31), [28]);
  assert.equal(changed(12, 0x11), 'invalid');
  assert.equal(changed(12, 0x22), 'invalid');
  assert.equal(changed(14, 0xff, 0xff), 'invalid');
  assert.equal(changed(14, 0, 6), 'invalid');
});

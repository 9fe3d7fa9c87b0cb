import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { networksOf, parseAddress } from '../../../src/common/ip-addresses.ts';
import { ClientAddresses, toAddressKey } from '../../../src/worker/admission/address.ts';

const TRUSTED = ['10.0.0.0/8', '2001:db8:f::/48'];
const clients = new ClientAddresses(networksOf(TRUSTED));

function bytesOf(text: string): ArrayBuffer {
  return new Uint8Array(parseAddress(text)!.toByteArray()).buffer;
}

interface From {
  readonly peer: string;
  /** Address in its PROXY header. */
  readonly proxied?: string;
  /** Lines of X-Forwarded-For. */
  readonly forwarded?: readonly string[];
}

function addressOf({ peer, proxied, forwarded = [] }: From): string {
  const response = {
    getRemoteAddress: () => bytesOf(peer),
    getProxiedRemoteAddress: () => (proxied === undefined ? new ArrayBuffer(0) : bytesOf(proxied)),
  };
  const headers = [['host', '6.6.6.6'], ...forwarded.map((line) => ['x-forwarded-for', line])];
  const forEach = (visit: (name: string, value: string) => void) => {
    for (const [name = '', value = ''] of headers) visit(name, value);
  };
  return clients.of(response, { forEach }).toString();
}

test('headers are those of proxies if no sender that could have written them is untrusted', () => {
  const isProxied = (peer: string, proxied?: string) =>
    clients.isProxied({
      getRemoteAddress: () => bytesOf(peer),
      getProxiedRemoteAddress: () =>
        proxied === undefined ? new ArrayBuffer(0) : bytesOf(proxied),
    });
  assert.deepEqual(
    [isProxied('10.0.0.1'), isProxied('10.0.0.1', '10.0.0.2'), isProxied('2001:db8:f::1')],
    [true, true, true],
  );
  assert.deepEqual(
    [isProxied('9.9.9.9'), isProxied('9.9.9.9', '10.0.0.1'), isProxied('10.0.0.1', '9.9.9.9')],
    [false, false, false],
  );
});

test('an untrusted peer is the client, whatever its headers', () => {
  const spoofed = { proxied: '1.1.1.1', forwarded: ['2.2.2.2', '3.3.3.3'] };
  for (const peer of ['9.9.9.9', '2001:db8::1', '11.0.0.1']) {
    assert.equal(addressOf({ peer, ...spoofed }), peer);
  }
});

test('a trusted proxy names the client: the right-most address that is not a proxy', () => {
  const peer = '10.0.0.1';
  const rows: readonly (readonly [lines: readonly string[], client: string])[] = [
    [[], peer],
    [['9.9.9.9'], '9.9.9.9'],
    [['1.1.1.1, 9.9.9.9'], '9.9.9.9'],
    [['1.1.1.1, 9.9.9.9, 10.0.0.2,10.0.0.3'], '9.9.9.9'],
    [['1.1.1.1', '9.9.9.9', '10.0.0.2'], '9.9.9.9'],
    [['10.0.0.3, 10.0.0.2'], '10.0.0.3'],
    [['2001:db8:1::5, 2001:db8:f::2'], '2001:db8:1::5'],
    [['::ffff:9.9.9.9'], '9.9.9.9'],
    [['9.9.9.9:50123'], '9.9.9.9'],
    [['[2001:db8:1::5]:443'], '2001:db8:1::5'],
    [['[2001:db8:1::5]'], '2001:db8:1::5'],
  ];
  for (const [forwarded, client] of rows) {
    assert.equal(addressOf({ peer, forwarded }), client, JSON.stringify(forwarded));
  }
});

test('garbage stops at the last address that a trusted proxy has vouched for', () => {
  for (const garbage of ['', 'unknown', '9.9.9', '<script>', '9.9.9.9 8.8.8.8', '[::1', '\u0000']) {
    const forwarded = [`1.1.1.1, ${garbage}, 10.0.0.2`];
    assert.equal(addressOf({ peer: '10.0.0.1', forwarded }), '10.0.0.2', JSON.stringify(garbage));
    const behind = [`${garbage}, 9.9.9.9, 10.0.0.2`];
    assert.equal(addressOf({ peer: '10.0.0.1', forwarded: behind }), '9.9.9.9');
  }
});

test('a PROXY header of a trusted proxy goes first; X-Forwarded-For counts if it names another', () => {
  const forwarded = ['9.9.9.9'];
  assert.equal(addressOf({ peer: '10.0.0.1', proxied: '8.8.8.8', forwarded }), '8.8.8.8');
  assert.equal(addressOf({ peer: '10.0.0.1', proxied: '10.0.0.2', forwarded }), '9.9.9.9');
});

test('no header of a client changes an address that a proxy has appended after it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.ipV4(), (text, client) => {
      fc.pre(!client.startsWith('10.'));
      const forwarded = [`${text}, ${client}, 10.0.0.9`];
      assert.equal(addressOf({ peer: '10.0.0.1', forwarded }), client);
      assert.equal(addressOf({ peer: '9.9.9.9', forwarded: [text] }), '9.9.9.9');
    }),
  );
});

test('IPv4 counts by address, IPv6 by its first 64 bits', () => {
  const counted = (text: string) => toAddressKey(parseAddress(text)!);
  assert.equal(counted('9.9.9.9'), '9.9.9.9');
  assert.equal(counted('::ffff:9.9.9.9'), '9.9.9.9');
  assert.equal(counted('2001:db8:1:2::1'), counted('2001:db8:1:2:ffff:ffff:ffff:ffff'));
  assert.notEqual(counted('2001:db8:1:2::1'), counted('2001:db8:1:3::1'));
  assert.notEqual(counted('2001:db8:1:2::1'), counted('2001:db9:1:2::1'));
});

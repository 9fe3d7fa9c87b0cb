import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addressOfBytes,
  isWithin,
  networksOf,
  parseAddress,
  parseNetwork,
} from '../../src/common/ip-addresses.ts';

test('addresses in their usual notation, and nothing else', () => {
  for (const [text, address] of [
    ['10.1.2.3', '10.1.2.3'],
    ['2001:DB8::1', '2001:db8::1'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['::ffff:a01:203', '10.1.2.3'],
  ] as const) {
    assert.equal(parseAddress(text)?.toString(), address);
  }
  const wrong = [
    '',
    ' ',
    'localhost',
    '10.1.2',
    '10.1.2.3.4',
    '010.1.2.3',
    '0x0a.1.2.3',
    '167838211',
    '10.1.2.256',
    '10.1.2.3/32',
    '-1.1.1.1',
    '1e1.1.1.1',
    'fe80::1%eth0',
    '2001:db8::g',
    ':::',
    '2001:db8::1/64',
    '1.1.1.1\n',
    'unknown',
    '_hidden',
  ];
  for (const text of wrong) assert.equal(parseAddress(text), undefined, JSON.stringify(text));
});

test('an IPv4 client of a dual-stack socket has its IPv4 address', () => {
  const bytes = (...all: number[]) => new Uint8Array(all).buffer;
  assert.equal(addressOfBytes(bytes()).toString(), '::', 'the connection has ended');
  assert.equal(addressOfBytes(bytes(10, 1, 2, 3)).toString(), '10.1.2.3');
  const zeros = new Array<number>(10).fill(0);
  assert.equal(addressOfBytes(bytes(...zeros, 255, 255, 10, 1, 2, 3)).toString(), '10.1.2.3');
  assert.equal(addressOfBytes(bytes(...zeros, 0, 0, 0, 0, 0, 1)).toString(), '::1');
});

test('networks contain exactly their addresses, and none of the other version', () => {
  const networks = networksOf(['10.0.0.0/8', '192.168.1.7', '2001:db8:0:8000::/49', '::1']);
  for (const text of ['10.0.0.0', '10.255.255.255', '192.168.1.7', '2001:db8:0:ffff::', '::1']) {
    assert(isWithin(parseAddress(text)!, networks), text);
  }
  const others = [
    '9.255.255.255',
    '11.0.0.0',
    '192.168.1.6',
    '2001:db8:0:7fff::',
    '::2',
    '0.0.0.1',
  ];
  for (const text of others) assert(!isWithin(parseAddress(text)!, networks), text);
  const everything = networksOf(['0.0.0.0/0']);
  assert(isWithin(parseAddress('::ffff:8.8.8.8')!, everything), 'a mapped address is an IPv4 one');
  assert(!isWithin(parseAddress('::1')!, everything), 'all of IPv4 is not IPv6');
});

test('invalid networks are rejected', () => {
  for (const text of ['10.0.0.0/0', '10.0.0.1/8', '::/0', '::1/128', '10.0.0.1']) {
    assert(parseNetwork(text) !== undefined, text);
  }
  for (const text of ['', '10.0.0.0/33', '::/129', '10.0.0.0/', '10/8', '1.1.1.1/8/8', '::1/-1']) {
    assert.equal(parseNetwork(text), undefined, text);
  }
});

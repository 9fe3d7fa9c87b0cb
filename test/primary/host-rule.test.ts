import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../../src/config/config.ts';
import { isAdminName } from '../../src/primary/host-rule.ts';

/** Those of these `Host` headers that are accepted. */
function taken(env: Record<string, string>, asked: readonly (string | undefined)[]) {
  const { adminHost: host, adminHosts: hosts } = readConfig(env);
  return asked.filter((name) => isAdminName(name, { host, hosts }));
}

const OF_THIS_MACHINE = [
  'localhost',
  'LOCALHOST:9001',
  'localhost.',
  'localhost.:1',
  '127.0.0.1',
  '127.1.2.3:80',
  '[::1]',
  '[::1]:9001',
];
/** A page cannot have one of these as its name. */
const ADDRESSES = ['10.0.0.1', '10.0.0.1:9001', '192.0.2.7.', '[2001:db8::1]', '[FE80::1]:9001'];
const NONE = [undefined, ''];
const NAMES = [
  'forebay.example',
  'Forebay.Example:9001',
  'forebay.example.',
  'forebay.example.:9001',
];
const FOREIGN = [
  'evil.example',
  'evil.example:9001',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  'xforebay.example',
  'x.forebay.example',
  'forebay.example.evil',
  'forebay.example..',
  'forebay.example:evil',
  'forebay.example@evil.example',
  'evil.example, forebay.example',
  'evil.example/forebay.example',
  '10.0.0',
  '0x7f.1',
  '::1',
  '[localhost]',
  '[forebay.example]',
  '[::1',
  '::1]',
  '[]',
  '.',
  ':9001',
];
const ALL = [...OF_THIS_MACHINE, ...ADDRESSES, ...NONE, ...NAMES, ...FOREIGN];

test('on loopback: names of this machine, and requests without a Host are accepted', () => {
  for (const host of ['127.0.0.1', 'localhost', '::1']) {
    const expected = [...OF_THIS_MACHINE, ...NONE];
    assert.deepEqual(taken({ FOREBAY_ADMIN_HOST: host }, ALL), expected, host);
  }
});

test('elsewhere: any address as well, as probes and scrapes of pods use it', () => {
  for (const host of ['0.0.0.0', '::', '10.0.0.1']) {
    const expected = [...OF_THIS_MACHINE, ...ADDRESSES, ...NONE];
    assert.deepEqual(taken({ FOREBAY_ADMIN_HOST: host }, ALL), expected, host);
  }
});

test('listed names match in any case, with any port and a trailing dot', () => {
  for (const listed of ['forebay.example', ' other.example , FOREBAY.example. ']) {
    const env = { FOREBAY_ADMIN_HOST: '0.0.0.0', FOREBAY_ADMIN_HOSTS: listed };
    assert.deepEqual(taken(env, ALL), [...OF_THIS_MACHINE, ...ADDRESSES, ...NONE, ...NAMES]);
    const local = { FOREBAY_ADMIN_HOSTS: listed };
    assert.deepEqual(taken(local, ALL), [...OF_THIS_MACHINE, ...NONE, ...NAMES]);
  }
});

test('the configured host needs no entry: the command `health` uses it', () => {
  const expected = [...OF_THIS_MACHINE, ...ADDRESSES, ...NONE, ...NAMES];
  for (const host of ['forebay.example', 'Forebay.EXAMPLE']) {
    assert.deepEqual(taken({ FOREBAY_ADMIN_HOST: host }, ALL), expected, host);
  }
});

test('* accepts every name', () => {
  assert.deepEqual(taken({ FOREBAY_ADMIN_HOSTS: '*' }, ALL), ALL);
});

test('names outside ASCII match in the form that browsers send', () => {
  const env = { FOREBAY_ADMIN_HOSTS: 'büro.example' };
  assert.deepEqual(taken(env, ['xn--bro-hoa.example']), ['xn--bro-hoa.example']);
});

test('invalid names in the list are rejected with a message', () => {
  for (const wrong of [
    'a.example:9001',
    'http://a.example',
    '*.example',
    'a,',
    'a b',
    '[::1]',
    'a,*',
  ]) {
    assert.throws(() => readConfig({ FOREBAY_ADMIN_HOSTS: wrong }), {
      exitCode: 2,
      message:
        /FOREBAY_ADMIN_HOSTS must be host names without ports, separated by commas, or \* alone/,
    });
  }
});

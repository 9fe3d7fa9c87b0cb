import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { networksOf } from '../../../src/common/ip-addresses.ts';
import { LIMITS } from '../../../src/config/limits.ts';
import { ProxyWatch } from '../../../src/worker/admission/proxy-watch.ts';

let logged: { proxy: string; connections: number; hint: string }[];
let proxies: ProxyWatch;
beforeEach(() => {
  logged = [];
  proxies = watching('10.0.0.0/24');
});

function watching(...trusted: string[]): ProxyWatch {
  const warn = (fields: (typeof logged)[number]) => void logged.push(fields);
  return new ProxyWatch(networksOf(trusted), { warn } as never);
}

const peer = (...bytes: number[]) => ({ getRemoteAddress: () => new Uint8Array(bytes).buffer });
const proxy = peer(10, 0, 0, 1);

/** Ends that number of connections before a request. */
function end(count: number, of = proxy): void {
  for (let index = 0; index < count; index++) proxies.opened(of)?.();
}

test('a proxy that sends no valid request is logged once', () => {
  end(LIMITS.silentConnections - 1);
  assert.equal(logged.length, 0);
  end(10);
  assert.equal(logged.length, 1);
  const [fields] = logged;
  assert.deepEqual([fields?.proxy, fields?.connections], ['10.0.0.1', LIMITS.silentConnections]);
  assert.match(String(fields?.hint), /PROXY v1/);
});

test('each proxy is counted separately, an IPv4-mapped address as its IPv4 address', () => {
  end(LIMITS.silentConnections - 1);
  end(LIMITS.silentConnections - 1, peer(10, 0, 0, 2));
  assert.deepEqual(logged, []);
  end(1, peer(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2));
  assert.equal(logged.length, 1);
});

test('a proxy with a valid request is not logged, however many of its checks end', () => {
  end(1);
  proxies.requestParsed(proxy);
  end(100);
  assert.deepEqual(logged, []);
});

test('connections that begin before the first request and end after it do not count', () => {
  const ends = Array.from({ length: 10 }, () => proxies.opened(proxy));
  end(1);
  proxies.requestParsed(proxy);
  for (const ended of ends) ended?.();
  assert.deepEqual(logged, []);
});

test('clients that are not proxies are not watched, nor any address without the setting', () => {
  assert.equal(proxies.opened(peer(10, 0, 1, 1)), undefined);
  proxies = watching();
  assert.equal(proxies.opened(proxy), undefined);
});

test('the number of remembered proxies is bounded', () => {
  proxies = watching('0.0.0.0/0');
  const addressOf = (index: number) => peer(11, 0, index >> 8, index & 0xff);
  for (let index = 0; index < LIMITS.watchedProxies; index++) {
    end(1, addressOf(index));
    proxies.requestParsed(addressOf(index));
  }
  assert.equal(proxies.opened(proxy), undefined);
});

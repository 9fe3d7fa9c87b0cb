/** Invalid options and their errors, and the spellings of a URL. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { type Client, createClient } from '../../src/client/client.ts';
import { urlsOf } from '../../src/client/platform.ts';

/** A WebSocket that never opens, and records its target. */
class Idle {
  static urls: string[] = [];
  onmessage = undefined;
  onclose = undefined;
  onerror = undefined;
  constructor(url: string) {
    Idle.urls.push(url);
  }
  send(): void {}
  close(): void {}
}

let client: Client | undefined;
afterEach(() => {
  void client?.close();
  client = undefined;
  Idle.urls = [];
  Reflect.deleteProperty(globalThis, 'location');
});

function make(options: object | undefined): void {
  client = createClient({ webSocket: Idle, ...options } as never);
}

/** A page at this address. */
function open(href: string): void {
  const value = { href, origin: new URL(href).origin };
  Object.defineProperty(globalThis, 'location', { value, configurable: true });
}

const LIKE = 'must be a URL such as wss://events.example.com/, not';
for (const [what, url, name, message] of [
  ['undefined', undefined, 'TypeError', `url ${LIKE} undefined`],
  ['null', null, 'TypeError', `url ${LIKE} null`],
  ['a number', 9000, 'TypeError', `url ${LIKE} 9000`],
  ['a boolean', true, 'TypeError', `url ${LIKE} true`],
  ['an object', {}, 'TypeError', `url ${LIKE} [object Object]`],
  ['empty', '', 'SyntaxError', `url ${LIKE} ""`],
  ['blank', ' \n', 'SyntaxError', `url ${LIKE} " \\n"`],
  ['a host alone', 'events.example.com', 'SyntaxError', `url ${LIKE} "events.example.com"`],
  ['a host and port', 'localhost:9000/ws', 'SyntaxError', `url ${LIKE} "localhost:9000/ws"`],
  ['of another scheme', 'ftp://h/ws', 'SyntaxError', `url ${LIKE} "ftp://h/ws"`],
  ['a wrong port', 'ws://h:99999/ws', 'SyntaxError', `url ${LIKE} "ws://h:99999/ws"`],
  ['a path, where there is no page', '/ws', 'SyntaxError', `url ${LIKE} "/ws"`],
] as const) {
  test(`a url that is ${what}: createClient throws a ${name} that names valid ones`, () => {
    assert.throws(() => make({ url }), { name, message });
    assert.deepEqual(Idle.urls, []);
  });
}

test('no options at all: createClient throws a TypeError that names the url', () => {
  const create = createClient as (options?: unknown) => Client;
  for (const options of [[], [undefined], [null], [{}], ['ws://h/ws']]) {
    assert.throws(() => create(...options), {
      name: 'TypeError',
      message: `url ${LIKE} undefined`,
    });
  }
});

test('an empty or blank url on a page is not the page', () => {
  open('https://shop.example/cart');
  for (const url of ['', ' ']) assert.throws(() => make({ url }), SyntaxError);
});

for (const fallbackUrl of ['', 7, 'events', 'mailto:a@b', {}]) {
  test(`a fallbackUrl that is ${JSON.stringify(fallbackUrl)}: createClient names the option`, () => {
    const message = /^fallbackUrl must be a URL such as https:\/\/events\.example\.com\/, not /;
    assert.throws(() => make({ url: 'ws://h/ws', fallbackUrl }), { message });
  });
}

test('a stream is part of both paths', () => {
  for (const [options, socket, events] of [
    [{ url: 'ws://h/ws' }, 'ws://h/ws/clicks', 'http://h/events/clicks'],
    [{ url: 'https://h/a/ws?x=1' }, 'wss://h/a/ws/clicks?x=1', 'https://h/a/events/clicks'],
    [{ url: 'ws://h/ws', fallbackUrl: 'http://g/e/' }, 'ws://h/ws/clicks', 'http://g/e/clicks'],
  ] as const) {
    assert.deepEqual(urlsOf({ ...options, stream: 'clicks' }), { socket, events });
  }
});

for (const stream of ['', 'Clicks', 'a/b', 'a b', '%61', 7, null]) {
  test(`a stream that is ${JSON.stringify(stream)}: createClient names the option`, () => {
    const message = `stream must be a name, not ${JSON.stringify(stream)}`;
    assert.throws(() => make({ url: 'ws://h/ws', stream }), { message });
  });
}

test('a webSocket that is not a class: createClient throws a TypeError that names it', () => {
  for (const webSocket of [{ WebSocket: Idle }, 'ws', null]) {
    const options = { url: 'ws://h/ws', webSocket };
    assert.throws(() => make(options), {
      name: 'TypeError',
      message: /^webSocket must be a class/,
    });
  }
});

for (const [url, socket] of [
  ['ws://h:9000/ws', 'ws://h:9000/ws'],
  ['wss://h/a/ws?x=1', 'wss://h/a/ws?x=1'],
  ['http://h:9000/ws', 'ws://h:9000/ws'],
  ['https://h/ws', 'wss://h/ws'],
  ['HTTPS://H/ws', 'wss://h/ws'],
  ['WS://h/ws', 'ws://h/ws'],
  [' ws://h/ws\n', 'ws://h/ws'],
  ['ws://[::1]:9000/ws', 'ws://[::1]:9000/ws'],
  ['ws://h/ws#there', 'ws://h/ws'],
  [new URL('https://h/ws'), 'wss://h/ws'],
] as const) {
  test(`a url ${JSON.stringify(String(url))}${typeof url === 'string' ? '' : ', an object'}: the WebSocket connects to ${socket}`, () => {
    make({ url });
    assert.deepEqual(Idle.urls, [socket]);
  });
}

for (const [page, url, socket] of [
  ['https://shop.example/cart', '/ws', 'wss://shop.example/ws'],
  ['http://shop.example:8000/a/b', 'ws', 'ws://shop.example:8000/a/ws'],
  ['https://shop.example/', '//events.example/ws', 'wss://events.example/ws'],
] as const) {
  test(`on ${page}, a url ${url}: the WebSocket connects to ${socket}`, () => {
    open(page);
    make({ url });
    assert.deepEqual(Idle.urls, [socket]);
  });
}

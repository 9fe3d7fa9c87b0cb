import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageFile } from '../../src/page/page.ts';
import { PAGE_HEADERS } from '../../src/page/static-files.ts';

test('the page, its scripts and the client library are served, and nothing else', () => {
  assert.equal(pageFile('/')?.type, 'text/html; charset=utf-8');
  for (const path of ['/base.css', '/page.css']) {
    assert.equal(pageFile(path)?.type, 'text/css; charset=utf-8', path);
  }
  const scripts = new Set(['/page.js']);
  for (const path of scripts) {
    const { type, body } = pageFile(path) ?? {};
    assert.equal(type, 'text/javascript; charset=utf-8', path);
    for (const [, name] of String(body).matchAll(/from '\.?(\/[a-z-]+\.js)'/g)) scripts.add(name!);
  }
  assert(scripts.size > 4 && scripts.has('/client.js'), `scripts: ${[...scripts]}`);
  for (const path of ['', '/index.html', '/page.ts', '/../package.json', '/constructor']) {
    assert.equal(pageFile(path), undefined, path);
  }
});

test('the policy allows nothing inline, and nothing of the page is inline or external', () => {
  const policy = new Map(PAGE_HEADERS).get('Content-Security-Policy') ?? '';
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*|https?:/);
  const html = String(pageFile('/')?.body);
  assert.doesNotMatch(html, /<style|\sstyle=|\son[a-z]+=|https?:\/\//);
  for (const [, attributes] of html.matchAll(/<script([^>]*)>/g))
    assert.match(attributes!, /src="\//);
});

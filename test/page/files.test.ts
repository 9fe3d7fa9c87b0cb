import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageFile } from '../../src/page/page.ts';

test('the page, its scripts and the client library, and nothing else is served', () => {
  assert.equal(pageFile('/')?.type, 'text/html; charset=utf-8');
  assert.equal(pageFile('/page.css')?.type, 'text/css; charset=utf-8');
  const scripts = new Set(['/page.js']);
  for (const path of scripts) {
    const { type, body } = pageFile(path) ?? {};
    assert.equal(type, 'text/javascript; charset=utf-8', path);
    for (const [, name] of String(body).matchAll(/from '\.?(\/[a-z]+\.js)'/g)) scripts.add(name!);
  }
  assert(scripts.size > 4 && scripts.has('/client.js'), `scripts: ${[...scripts]}`);
  for (const path of ['', '/index.html', '/page.ts', '/../package.json', '/constructor']) {
    assert.equal(pageFile(path), undefined, path);
  }
});

test('the policy allows nothing inline, and the page has nothing inline nor from elsewhere', () => {
  const policy = pageFile('/')?.headers['Content-Security-Policy'] ?? '';
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*|https?:/);
  const html = String(pageFile('/')?.body);
  assert.doesNotMatch(html, /<style|\sstyle=|\son[a-z]+=|https?:\/\//);
  for (const [, attributes] of html.matchAll(/<script([^>]*)>/g))
    assert.match(attributes!, /src="\//);
});

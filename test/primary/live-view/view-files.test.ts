import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { viewFile } from '../../../src/primary/live-view/view-files.ts';

const folder = new URL('../../../src/primary/live-view/static/', import.meta.url);

test('the page, its scripts and styles are served, and nothing else', () => {
  assert.equal(viewFile('/')?.type, 'text/html; charset=utf-8');
  const scripts = new Set(['/view.js']);
  for (const path of scripts) {
    const { type, body } = viewFile(path) ?? {};
    assert.equal(type, 'text/javascript; charset=utf-8', path);
    for (const [, name] of String(body).matchAll(/from '\.(\/[a-z]+\.js)'/g)) scripts.add(name!);
  }
  const files = readdirSync(folder).filter((name) => name.endsWith('.js'));
  const shared = '/nodes.js';
  assert.deepEqual([...scripts].sort(), [...files.map((name) => `/${name}`), shared].sort());
  for (const path of ['/base.css', '/view.css']) {
    assert.equal(viewFile(path)?.type, 'text/css; charset=utf-8', path);
  }
  for (const path of [
    '',
    '/index.html',
    '/view.ts',
    '/../commands.ts',
    '/constructor',
    '/page.js',
  ]) {
    assert.equal(viewFile(path), undefined, path);
  }
});

test('nothing of the page is inline or external, and all of it is small', () => {
  const html = String(viewFile('/')?.body);
  assert.doesNotMatch(html, /<style|\sstyle=|\son[a-z]+=|https?:\/\//);
  for (const [, attributes] of html.matchAll(/<script([^>]*)>/g)) {
    assert.match(attributes!, /src="view\.js"/);
  }
  const names = ['/', '/base.css', ...readdirSync(folder).map((name) => `/${name}`)];
  const bytes = names.reduce((sum, name) => sum + (viewFile(name)?.body.length ?? 0), 0);
  assert(bytes < 64 * 1024, `${bytes} bytes`);
});

test('the page links to the runbook and to the metrics in any state', () => {
  const html = String(viewFile('/')?.body);
  const [lead = ''] = html.match(/<p class="lead">.*?<\/p>/s) ?? [];
  assert.match(lead, /<a href="metrics">/);
  assert.match(lead, /<a href="runbook">/);
});

test('the runbook is docs/operations.md, with links only to served files', () => {
  const { body, type } = viewFile('/runbook') ?? {};
  assert.equal(type, 'text/html; charset=utf-8');
  const html = String(body);
  const source = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
  const headings = [...source.matchAll(/^#+ (.*)$/gm)];
  const ids = [...html.matchAll(/<h\d id="([^"]+)">/g)].map(([, id]) => id!);
  assert.equal(ids.length, headings.length);
  assert.equal(new Set(ids).size, ids.length, 'each has an anchor of its own');
  const links = [...html.matchAll(/ href="([^"]*)"/g)].map(([, href]) => href!);
  assert(links.length > 20, `${links.length} links`);
  for (const href of links) {
    if (href.startsWith('#')) assert(ids.includes(href.slice(1)), href);
    else assert(['data:,', './', 'base.css', 'view.css'].includes(href), href);
  }
  assert.doesNotMatch(html, /<script|<style|\sstyle=|https?:\/\/(?!127|localhost)/);
});

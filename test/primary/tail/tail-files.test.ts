import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { viewFile } from '../../../src/primary/live-view/view-files.ts';
import { tailFile } from '../../../src/primary/tail/tail-files.ts';

const folder = new URL('../../../src/primary/tail/static/', import.meta.url);
/** The admin port serves both, under distinct paths. */
const fileAt = (path: string) => viewFile(path) ?? tailFile(path);

test('the page of the live tail, its scripts and styles are served, and nothing else', () => {
  assert.equal(tailFile('/events')?.type, 'text/html; charset=utf-8');
  const scripts = new Set(['/events.js']);
  for (const path of scripts) {
    const { type, body } = fileAt(path) ?? {};
    assert.equal(type, 'text/javascript; charset=utf-8', path);
    for (const [, name] of String(body).matchAll(/from '\.(\/[a-z-]+\.js)'/g)) scripts.add(name!);
  }
  const own = readdirSync(folder).filter((name) => name.endsWith('.js'));
  for (const name of own) assert(scripts.has(`/${name}`), name);
  for (const name of own) assert.equal(viewFile(`/${name}`), undefined, 'no name is used twice');
  assert.equal(fileAt('/events.css')?.type, 'text/css; charset=utf-8');
  for (const path of ['', '/events.html', '/../admin.ts', '/constructor']) {
    assert.equal(tailFile(path), undefined, path);
  }
});

test('nothing of the page is inline or external, and all of it is small', () => {
  const html = String(tailFile('/events')?.body);
  assert.doesNotMatch(html, /<style|\sstyle=|\son[a-z]+=|https?:\/\//);
  const names = ['/events', ...readdirSync(folder).map((name) => `/${name}`)];
  const bytes = names.reduce((sum, name) => sum + (tailFile(name)?.body.length ?? 0), 0);
  assert(bytes < 32 * 1024, `${bytes} bytes`);
});

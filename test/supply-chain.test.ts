/** Dependencies of Forebay: no install scripts, and only redistributable packages. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { bom } from '../scripts/bom.ts';
import { licencesMarkdown, PERMISSIVE, productionPackages } from '../scripts/packages.ts';
import { DEPRECATED_NODE_MAJORS, NODE_MAJORS } from '../src/common/node-versions.ts';

const root = new URL('../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
const packages = productionPackages();
const refs = packages.map(({ name, version }) => `${name}@${version}`);

/** Production dependencies of package.json, by their real names. */
function asked(): string[] {
  const { dependencies, optionalDependencies } = JSON.parse(read('package.json')) as {
    dependencies: Record<string, string>;
    optionalDependencies: Record<string, string>;
  };
  return Object.entries({ ...dependencies, ...optionalDependencies }).map(([name, version]) =>
    version.startsWith('npm:') ? version.slice('npm:'.length) : `${name}@${version}`,
  );
}

test('every dependency of package.json is pinned, and among the checked packages', () => {
  assert(asked().length > 10, `${asked().length} are asked for`);
  assert.deepEqual(
    asked().filter((ref) => !refs.includes(ref)),
    [],
  );
});

test('engines and the binaries of uWebSockets.js are those of the supported Node.js versions', () => {
  const { engines, optionalDependencies } = JSON.parse(read('package.json')) as {
    engines: { node: string };
    optionalDependencies: Record<string, string>;
  };
  assert.equal(engines.node, NODE_MAJORS.map((major) => `^${major}.0.0`).join(' || '));
  const binaries = Object.entries(optionalDependencies).flatMap(([name, reference]) => {
    const [, major] = /^uWebSockets\.js-node(\d+)$/.exec(name) ?? [];
    return major === undefined ? [] : [[major, reference.replace(/@[\d.]+$/, '')]];
  });
  assert.deepEqual(
    binaries,
    [...DEPRECATED_NODE_MAJORS, ...NODE_MAJORS].map((major) => [
      major,
      `npm:@uwsjs/linux-x64-${major}`,
    ]),
  );
});

test('no production package has an install script, and npm runs none of the others', () => {
  const scripted = packages.filter(({ hasInstallScript }) => hasInstallScript);
  assert.deepEqual(scripted, []);
  assert.match(read('.npmrc'), /^ignore-scripts=true$/m);
});

test('each production package has a SHA-512', () => {
  const loose = packages.filter(({ integrity }) => !/^sha512-[\w+/]{86}==$/.test(integrity));
  assert.deepEqual(loose, []);
});

test('the licence of each production package is permissive, and the one it states itself', () => {
  const others = packages.filter(({ license }) => !PERMISSIVE.includes(license));
  assert.deepEqual(others, []);
  let installed = 0;
  for (const { name, folder, version, license } of packages) {
    const manifest = `${folder}/package.json`;
    if (!existsSync(new URL(manifest, root))) continue;
    const own = JSON.parse(read(manifest)) as { name: string; version: string; license: string };
    installed++;
    assert.deepEqual([own.name, own.version, own.license], [name, version, license]);
  }
  assert(installed > 30, `${installed} are installed`);
});

test('docs/licences.md comes from the lock file', () => {
  assert.equal(read('docs/licences.md'), licencesMarkdown(), 'it is old: run `make docs`');
});

test('the bill of materials names each production package, with hash and licence, and no other', () => {
  const { bomFormat, metadata, components, dependencies } = bom();
  assert.equal(bomFormat, 'CycloneDX');
  assert.equal(metadata.component.name, 'forebay');
  const named = components.map(({ 'bom-ref': ref }) => ref);
  assert.deepEqual([...named].sort(), [...refs].sort());
  for (const { name, purl, licenses = [], hashes = [] } of components) {
    assert.match(purl, /^pkg:npm\//, name);
    assert.equal(licenses.length, 1, name);
    assert.equal(hashes[0]?.alg, 'SHA-512', name);
  }
  const known = new Set([...named, metadata.component['bom-ref']]);
  assert.deepEqual(
    dependencies
      .flatMap(({ ref, dependsOn }) => [ref, ...dependsOn])
      .filter((to) => !known.has(to)),
    [],
  );
});

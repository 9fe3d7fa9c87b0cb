/** Production packages of the lock file, and the page that lists them. */
import { readFileSync } from 'node:fs';

export interface Package {
  readonly name: string;
  /** Path of its folder in the project. */
  readonly folder: string;
  readonly version: string;
  /** An SPDX expression. */
  readonly license: string;
  /** Platforms it is installed on, such as `linux x64 glibc`; undefined = all. */
  readonly platform: string | undefined;
  /** npm would run an install script of it. */
  readonly hasInstallScript: boolean;
  /** Hash that `npm ci` verifies. */
  readonly integrity: string;
}

interface Locked {
  /** Present if the folder has another name. */
  readonly name?: string;
  readonly version: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: string | readonly string[];
}

/** Allowed licences of production packages: they only require their notices to be kept. */
export const PERMISSIVE = ['Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT'];

/** Development packages that the build copies into dist/. */
const BUNDLED: ReadonlySet<string> = new Set(['recheck']);

/** Production packages, each version once, by name. */
export function productionPackages(): Package[] {
  const text = readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8');
  const { packages } = JSON.parse(text) as { packages: Record<string, Locked> };
  const found = new Map<string, Package>();
  for (const [path, locked] of Object.entries(packages)) {
    const { name = path.replace(/^.*node_modules\//, ''), version, license = '' } = locked;
    if (path === '' || (locked.dev && !BUNDLED.has(name))) continue;
    const { os = [], cpu = [], libc = [], hasInstallScript = false, integrity = '' } = locked;
    const platform = [os, cpu, libc].flat().join(' ') || undefined;
    const one = { name, folder: path, version, license, platform, hasInstallScript, integrity };
    found.set(`${name}@${version}`, one);
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Binaries of uWebSockets.js: version of Node.js, its ABI, which names the file upstream, and git's
 * blob id of the file.
 */
export const UWS_FILES = [
  ['20', '115', '6aca02b8ffdf87c8e52cf6f8fc0e95d1359a866b'],
  ['22', '127', 'fd5825387bc81adf0302dd97d43c2c24fdc8b304'],
  ['24', '137', '12d3fe5fae1bef27eccc0d906792fee13d360d68'],
  ['26', '147', 'cec09be7311a92e44239359a16eadb76a333de28'],
] as const;

/** docs/licences.md */
export function licencesMarkdown(): string {
  const packages = productionPackages();
  const counts = new Map<string, number>();
  for (const { license } of packages) counts.set(license, (counts.get(license) ?? 0) + 1);
  const sums = [...counts].sort(([, a], [, b]) => b - a).map(([name, count]) => `${name} ${count}`);
  const rows = packages.map(
    ({ name, version, license, platform }) =>
      `| ${name} | ${version} | ${license} | ${platform ?? ''} |`,
  );
  const binaries = UWS_FILES.map(
    ([node, abi, blob]) =>
      `| node_modules/uWebSockets.js-node${node}/uws.node | uws_linux_x64_${abi}.node | ${blob} |`,
  );
  return `# Licences

Forebay is MIT. The npm packages of the lock file that run in production; \`make docs\` writes this
page, and a test allows only ${PERMISSIVE.join(', ')}.
${packages.length} packages: ${sums.join(', ')}.

dist/ contains ${[...BUNDLED].join(', ')}, with its notice; the others are installed.
Packages with a platform are compiled code, installed only there. \`make sbom\` writes the same list as
CycloneDX, with hashes.

| package | version | licence | platform |
|---|---|---|---|
${rows.join('\n')}

## Provenance of uWebSockets.js

Its authors publish binaries on the branch \`binaries\` of github.com/uNetworking/uWebSockets.js, not on
npm. The packages \`@uwsjs/…\` are copies of these files, published by one other person without a build
provenance. To verify a copy, compare its blob id, printed by \`git hash-object FILE\`, with that of the
file upstream, printed by \`git ls-tree TAG FILE\` for the tag of the version. A test compares the
installed file with this table; the table was not compared with upstream.

| file | upstream | git blob id |
|---|---|---|
${binaries.join('\n')}
`;
}

/** The npm packages that run in production, by the lock file, and the page that lists them. */
import { readFileSync } from 'node:fs';

export interface Package {
  readonly name: string;
  /** Where npm puts it, from the project's folder. */
  readonly folder: string;
  readonly version: string;
  /** An SPDX expression. */
  readonly license: string;
  /** Where it is installed, as in `linux x64 glibc`; undefined = everywhere. */
  readonly platform: string | undefined;
  /** npm would run a script of it at the installation. */
  readonly hasInstallScript: boolean;
  /** Hash that `npm ci` holds the package against. */
  readonly integrity: string;
}

interface Locked {
  /** Stands where the folder has another name. */
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

/** Licences that a production package may have: they ask for no more than to keep their notices. */
export const PERMISSIVE = ['Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT'];

/** Production packages, each version once, by name. */
export function productionPackages(): Package[] {
  const text = readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8');
  const { packages } = JSON.parse(text) as { packages: Record<string, Locked> };
  const found = new Map<string, Package>();
  for (const [path, locked] of Object.entries(packages)) {
    if (path === '' || locked.dev) continue;
    const { name = path.replace(/^.*node_modules\//, ''), version, license = '' } = locked;
    const { os = [], cpu = [], libc = [], hasInstallScript = false, integrity = '' } = locked;
    const platform = [os, cpu, libc].flat().join(' ') || undefined;
    const one = { name, folder: path, version, license, platform, hasInstallScript, integrity };
    found.set(`${name}@${version}`, one);
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

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
  return `# Licences

Forebay is MIT. The npm packages that run with it, by the lock file; \`make docs\` writes this page,
and a test lets through ${PERMISSIVE.join(', ')} alone.
${packages.length} packages: ${sums.join(', ')}.

One with a platform is compiled code, and only installed there. \`make sbom\` writes the same list as
CycloneDX, with hashes.

| package | version | licence | platform |
|---|---|---|---|
${rows.join('\n')}
`;
}

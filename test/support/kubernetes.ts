/** Kubernetes tools for manifests: kustomize builds them, the API's schemas validate them. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { missing, missingTool } from '../../testing/tools.ts';

/** Its package has the schemas of every API version, so no cluster is needed. */
const VALIDATOR = 'kubernetes-validate==1.37.0';
const FOLDER = resolve('.cache', VALIDATOR.replace('==', '-'));
/** API version: the oldest supported one when the manifests were written. */
const API_VERSION = '1.32';

export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Record<string, string> };
  // Callers that read more know the kind.
  readonly [field: string]: unknown;
}

/** @throws Error with the message of kustomize */
export function build(folder: string): Manifest[] {
  const { stdout, stderr, status } = spawnSync('kubectl', ['kustomize', folder], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
}

/** Installs the validator by pip once. For a test's option `skip`, as {@link missingTool}. */
export function missingValidator(): string | false {
  const python = missingTool('python3');
  if (python !== false || existsSync(FOLDER)) return python;
  mkdirSync('.cache', { recursive: true });
  const folder = mkdtempSync(`${FOLDER}.new-`);
  const pip = ['-m', 'pip', 'install', '--quiet', '--target', folder, VALIDATOR];
  const { status } = spawnSync('python3', pip, { stdio: 'ignore' });
  if (status === 0 && !existsSync(FOLDER)) renameSync(folder, FOLDER);
  rmSync(folder, { recursive: true, force: true });
  return existsSync(FOLDER) ? false : missing(`${VALIDATOR}, by pip`);
}

/** Returns the errors of these manifests by the API's schemas; unknown fields are errors. */
export function schemaErrors(manifests: readonly Manifest[]): string[] {
  const dir = mkdtempSync(join(tmpdir(), 'forebay-kubernetes-'));
  try {
    const file = join(dir, 'manifests.yaml');
    writeFileSync(file, manifests.map((manifest) => stringify(manifest)).join('---\n'));
    const args = [join(FOLDER, 'bin/kubernetes-validate'), '--strict', '-k', API_VERSION, file];
    const { stdout, stderr } = spawnSync('python3', args, {
      env: { ...process.env, PYTHONPATH: FOLDER },
      encoding: 'utf8',
    });
    const lines = `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
    const passed = lines.filter((line) => line.startsWith('INFO') && line.includes(' passed '));
    const others = lines.filter((line) => !passed.includes(line));
    if (passed.length + others.length >= manifests.length) return others;
    return [...others, `only ${passed.length} of ${manifests.length} were looked at`];
  } finally {
    rmSync(dir, { recursive: true });
  }
}

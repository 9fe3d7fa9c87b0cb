/**
 * Manifest of a build, dist/.built: each input file with its SHA-256. It uses contents, since a
 * checkout or a copy changes times.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const MANIFEST = 'dist/.built';
const INPUTS = [
  ...['src', 'scripts/build', 'docs/operations.md', 'docs/openapi.yaml', 'docs/asyncapi.yaml'],
  ...['tsconfig.json', 'tsconfig.client.json'],
];

type Hashes = Readonly<Record<string, string>>;

/** Returns the hash of each input below `root`, by path. */
function inputs(root: string): Hashes {
  const hashes: Record<string, string> = {};
  for (const input of INPUTS) {
    const entries = input.includes('.')
      ? [input]
      : readdirSync(join(root, input), { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map(({ name, parentPath }) => relative(root, join(parentPath, name)));
    for (const path of entries.sort()) {
      hashes[path] = createHash('sha256')
        .update(readFileSync(join(root, path)))
        .digest('hex');
    }
  }
  return hashes;
}

/** Records that dist/ is built from the current files below `root`. */
export function writeManifest(root: string): void {
  writeFileSync(join(root, MANIFEST), `${JSON.stringify(inputs(root), null, 1)}\n`);
}

/** Returns the inputs changed, added or removed since the build; undefined without dist/. */
export function staleInputs(root: string): string[] | undefined {
  let built: Hashes;
  try {
    built = JSON.parse(readFileSync(join(root, MANIFEST), 'utf8')) as Hashes;
  } catch {
    return undefined;
  }
  const now = inputs(root);
  const paths = new Set([...Object.keys(built), ...Object.keys(now)]);
  return [...paths].filter((path) => built[path] !== now[path]);
}

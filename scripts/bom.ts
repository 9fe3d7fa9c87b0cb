import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { productionPackages } from './packages.ts';

/** The used subset of CycloneDX. */
export interface Bom {
  readonly bomFormat: string;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

export interface Component {
  /** `name@version` */
  readonly 'bom-ref': string;
  readonly name: string;
  readonly purl: string;
  readonly licenses?: readonly object[];
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const COMMAND = 'sbom --package-lock-only --include=dev --sbom-format=cyclonedx';

/**
 * Returns npm's bill of materials of the lock file, reduced to production. npm's own `--omit=dev`
 * also omits packages shared with development, such as ajv.
 * @throws Error if npm is missing or fails
 */
export function bom(): Bom {
  const args = [...COMMAND.split(' '), '--sbom-type=application'];
  const text = execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 * 2 ** 20 });
  const all = JSON.parse(text) as Bom;
  const { component } = all.metadata;
  const refs = new Set(productionPackages().map(({ name, version }) => `${name}@${version}`));
  refs.add(component['bom-ref']);
  const name = component['bom-ref'].replace(/@[^@]*$/, '');
  return {
    ...all,
    // npm names the component after its folder.
    metadata: { ...all.metadata, component: { ...component, name } },
    components: all.components.filter(({ 'bom-ref': ref }) => refs.has(ref)),
    dependencies: all.dependencies
      .filter(({ ref }) => refs.has(ref))
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((to) => refs.has(to)) })),
  };
}

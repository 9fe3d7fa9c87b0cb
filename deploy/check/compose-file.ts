/** The checked subset of docker-compose.yml, with its variables substituted. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

/** The project's files; tests override some of them. */
export interface Tree {
  has(path: string): boolean;
  read(path: string): string;
}

export interface Service {
  readonly image: string;
  readonly build?: string;
  readonly profiles?: readonly string[];
  readonly ports?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly volumes?: readonly string[];
  readonly command?: readonly string[];
  readonly networks: readonly string[] | Readonly<Record<string, { ipv4_address?: string }>>;
  readonly depends_on?: Readonly<Record<string, { condition: string; required?: boolean }>>;
  readonly healthcheck?: {
    readonly test: readonly string[];
    readonly interval: string;
    readonly timeout: string;
    readonly retries: number;
  };
  readonly restart?: string;
  readonly stop_grace_period?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly networks: Readonly<
    Record<string, { ipam: { config: readonly { subnet: string; ip_range: string }[] } }>
  >;
  /** Variables that a user may set. */
  readonly variables: ReadonlySet<string>;
}

export const COMPOSE_FILE = 'docker-compose.yml';

/** The tree in this folder, with overrides: a text, or null for a missing file. */
export function treeOf(root: string, over: Readonly<Record<string, string | null>> = {}): Tree {
  return {
    has: (path) => (path in over ? over[path] !== null : existsSync(join(root, path))),
    read: (path) => over[path] ?? readFileSync(join(root, path), 'utf8'),
  };
}

/** Variables of an env file of Compose. */
export function envFile(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => /^\w+=/.test(line));
  return Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
}

/** Reads the file as Compose would with these variables. Throws for invalid YAML. */
export function readCompose(tree: Tree, env: Readonly<Record<string, string>> = {}): ComposeFile {
  const variables = new Set<string>();
  const text = tree.read(COMPOSE_FILE).replaceAll(/\$\{(\w+):-([^}]*)\}/g, (_, name, otherwise) => {
    variables.add(name);
    return env[name] || otherwise;
  });
  return { ...parse(text, { merge: true }), variables } as ComposeFile;
}

/** Converts `5s` or `1m` to ms. */
export function durationMs(text = ''): number {
  const [, count, unit] = /^(\d+)([sm])$/.exec(text) ?? [];
  return Number(count) * (unit === 'm' ? 60_000 : 1_000);
}

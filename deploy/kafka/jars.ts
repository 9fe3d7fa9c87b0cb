import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasMaven, type Java } from './tools.ts';

const HERE = dirname(fileURLToPath(import.meta.url));
const POM = join(HERE, 'pom.xml');
export const ROOT = resolve(HERE, '../..');

/** Jars that the pom names: `["kafka_2.13-4.1.1.jar", …]`. */
function wantedJars(): string[] {
  const dependency = /<artifactId>([^<]+)<\/artifactId>\s*<version>([^<]+)<\/version>\s*<\/dep/g;
  return [...readFileSync(POM, 'utf8').matchAll(dependency)].map((m) => `${m[1]}-${m[2]}.jar`);
}

/** Version of Kafka in the pom, "4.1.1". */
export function kafkaVersion(): string {
  const version = /kafka_[\d.]+-(.+)\.jar/.exec(wantedJars().join(' '))?.[1];
  if (version === undefined) throw new Error(`${POM} names no Kafka`);
  return version.split('.jar')[0] ?? version;
}

/** Folder of the jars; FOREBAY_KAFKA_JARS lets several clones share one. */
export function jarsFolder(): string {
  const shared = process.env.FOREBAY_KAFKA_JARS;
  if (shared !== undefined && shared !== '') return resolve(shared);
  return join(ROOT, '.cache/kafka', kafkaVersion(), 'libs');
}

export function haveJars(folder = jarsFolder()): boolean {
  return wantedJars().every((jar) => existsSync(join(folder, jar)));
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Removes folders of interrupted downloads: named after a process that has exited. */
async function sweep(parent: string, prefix: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith(prefix)) continue;
    const pid = Number(name.slice(prefix.length));
    if (Number.isInteger(pid) && !isAlive(pid)) {
      await rm(join(parent, name), { recursive: true, force: true });
    }
  }
}

/**
 * Downloads the jars with Maven if they are missing, and returns their folder. They appear by a
 * rename: an interrupted download leaves no partial set, and of two concurrent ones the second's
 * set is discarded.
 */
export async function ensureJars(say: (line: string) => void = () => {}): Promise<string> {
  const folder = jarsFolder();
  if (haveJars(folder)) return folder;
  if (!hasMaven()) throw new Error(`no Kafka in ${folder}, and no Maven (mvn) to download it`);
  const parent = dirname(folder);
  const prefix = `${basename(folder)}.fetch-`;
  await mkdir(parent, { recursive: true });
  await sweep(parent, prefix);
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    const missing = wantedJars().filter((jar) => !existsSync(join(folder, jar)));
    throw new Error(`${folder} lacks ${missing.join(', ')}: remove it to download it again`);
  }
  say(`downloading Kafka ${kafkaVersion()} with Maven, once (43 MB)`);
  const partial = join(parent, `${prefix}${process.pid}`);
  try {
    fetchInto(partial);
    await rename(partial, folder).catch((error: unknown) => {
      if (!haveJars(folder)) throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return folder;
}

function fetchInto(folder: string): void {
  copyDependencies(POM, folder);
  if (!haveJars(folder)) throw new Error(`Maven copied no Kafka ${kafkaVersion()} to ${folder}`);
}

/**
 * Has Maven copy the dependencies of a pom into a folder.
 * @throws Error with its output
 */
export function copyDependencies(pom: string, folder: string): void {
  const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${folder}`];
  const args = ['-q', '-B', '-f', pom, ...goal, '-DincludeScope=runtime'];
  const maven = spawnSync('mvn', args, { encoding: 'utf8' });
  if (maven.status === 0) return;
  const said = `${maven.stdout ?? ''}${maven.stderr ?? ''}`.trim().slice(0, 2000);
  throw new Error(`Maven failed to download the packages of ${pom}\n${said}`);
}

/** The jars in a stable order, as required for an archive of loaded classes. */
export function classPath(folder: string): string {
  const jars = readdirSync(folder).filter((name) => name.endsWith('.jar'));
  return jars
    .sort()
    .map((name) => join(folder, name))
    .join(delimiter);
}

/** File of the class archive for this Java; undefined if its folder is not writable. */
export function archiveFile(folder: string, java: Java): string | undefined {
  const file = join(dirname(folder), `classes-${java.version}.jsa`);
  if (existsSync(file)) return file;
  try {
    accessSync(dirname(folder), constants.W_OK);
    return file;
  } catch {
    return undefined;
  }
}

/** Programs that run a local Kafka: Java with Maven, or Docker. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export const JAVA_VERSION_MIN = 17;

/** Folders of Homebrew on arm64 and on x64, which does not link its Java into the PATH. */
const HOMEBREW_FOLDERS = ['/opt/homebrew/opt', '/usr/local/opt'];
const HOMEBREW_JAVA = ['openjdk@21', 'openjdk'];
/** Docker may wait for a daemon that is starting. */
const DOCKER_TIMEOUT_MS = 20_000;

/** Commands that install packages, and their package of Java. */
const PACKAGE_MANAGERS = [
  ['Debian: apt-get install', 'default-jre-headless'],
  ['Fedora: dnf install', 'java-headless'],
  ['Homebrew: brew install', 'openjdk@21'],
] as const;

export interface Java {
  command: string;
  /** As printed by Java, "17.0.15". */
  version: string;
}

/** Docker with its Compose plugin: usable, or the reason why it is not. */
export type Docker = 'usable' | 'not installed' | { readonly problem: string };

export interface KafkaTools {
  /** Of any version. */
  readonly java: Java | undefined;
  /** Maven is installed, or not needed because Kafka is already downloaded. */
  readonly maven: boolean;
  /** Undefined = Docker is no alternative. */
  readonly docker?: Docker;
}

/** Java 17 or later, from JAVA_HOME, the PATH or Homebrew; undefined if there is none. */
export function findJava(): Java | undefined {
  const java = findAnyJava();
  return java !== undefined && isRecent(java) ? java : undefined;
}

/** The first Java that is recent enough; otherwise the first one. */
export function findAnyJava(): Java | undefined {
  const { JAVA_HOME } = process.env;
  const ofHomebrew = HOMEBREW_FOLDERS.flatMap((folder) =>
    HOMEBREW_JAVA.map((name) => join(folder, name)),
  );
  const inHome = (home: string) => join(home, 'bin/java');
  const found = [
    ...(JAVA_HOME ? [inHome(JAVA_HOME)] : []),
    'java',
    ...ofHomebrew.map(inHome).filter((command) => existsSync(command)),
  ].flatMap((command) => javaAt(command) ?? []);
  return found.find(isRecent) ?? found[0];
}

function javaAt(command: string): Java | undefined {
  const { status, stderr } = spawnSync(command, ['-version'], { encoding: 'utf8' });
  const version = /version "([^"]+)"/.exec(stderr ?? '')?.[1];
  return status === 0 && version !== undefined ? { command, version } : undefined;
}

function isRecent({ version }: Java): boolean {
  return Number.parseInt(version, 10) >= JAVA_VERSION_MIN;
}

export function hasMaven(): boolean {
  return spawnSync('mvn', ['--version'], { stdio: 'ignore' }).status === 0;
}

export function findDocker(): Docker {
  const options = { encoding: 'utf8', timeout: DOCKER_TIMEOUT_MS } as const;
  const info = spawnSync('docker', ['info', '--format', '{{.ServerVersion}}'], options);
  if ((info.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return 'not installed';
  if (info.status !== 0) {
    const [reason = 'no response'] = (info.stderr ?? '').match(/\S.*/g) ?? [];
    return { problem: `Docker cannot be used: ${reason.replace(/^error:? */i, '').trim()}` };
  }
  const compose = spawnSync('docker', ['compose', 'version'], options);
  return compose.status === 0 ? 'usable' : { problem: 'Docker’s plugin Compose is missing' };
}

/** Returns whether Kafka can run on Java here. On Windows only Docker runs it. */
export function runsOnJava(
  { java, maven }: KafkaTools,
  platform: string = process.platform,
): boolean {
  return platform !== 'win32' && maven && java !== undefined && isRecent(java);
}

/** No program is installed that could run a local Kafka. */
export class NoTools extends Error {}

/**
 * Returns one line: why no local Kafka can run, and what to install, with the names of packages.
 * @param tools those of {@link runsOnJava} = false
 */
export function missingTools(tools: KafkaTools, platform: string = process.platform): string {
  const { java, maven, docker } = tools;
  const needsJava = java === undefined || !isRecent(java);
  const reasons: string[] = [];
  const remedies: string[] = [];
  if (platform !== 'win32') {
    if (java !== undefined && needsJava) reasons.push(`Java ${java.version} is too old`);
    else if (needsJava) reasons.push('Java is missing');
    if (!maven) reasons.push('Maven is missing');
    const javas = needsJava ? [`Java ${JAVA_VERSION_MIN} or later`] : [];
    const names = [...javas, ...(maven ? [] : ['Maven'])].join(' and ');
    remedies.push(`install ${names} (${packages(needsJava, !maven)})`);
  }
  if (docker === 'not installed') {
    reasons.push('Docker is missing');
    remedies.push('install Docker with Compose');
  } else if (typeof docker === 'object') {
    reasons.push(docker.problem);
    remedies.push('repair Docker');
  }
  remedies.push('set KAFKA_BROKERS to a Kafka that you have');
  return `no local Kafka (${reasons.join(', ')}): ${remedies.join(', or ')}`;
}

function packages(java: boolean, maven: boolean): string {
  return PACKAGE_MANAGERS.map(([command, ofJava]) =>
    [command, ...(java ? [ofJava] : []), ...(maven ? ['maven'] : [])].join(' '),
  ).join('; ');
}

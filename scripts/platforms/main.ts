/**
 * Runs the tests that depend on Node.js and the transport under each supported version, in a root
 * folder with Debian 13: `node --import tsx scripts/platforms/main.ts [22] [24] [26] [files]`. Needs
 * root. Downloads and everything else that it creates are in build/platforms/.
 */
import { cpSync, existsSync, readdirSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { ensureJars, kafkaVersion, ROOT } from '../../deploy/kafka/jars.ts';
import { NODE_MAJORS } from '../../src/common/node-versions.ts';
import { hasTool } from '../../testing/tools.ts';
import { ensureCheckout, ensureNode } from './checkout.ts';
import { ensureDebianRoot } from './debian-root.ts';
import { isolatedIn } from './isolated.ts';

const FOLDER = join(ROOT, 'build/platforms');
const DEBIAN = join(FOLDER, 'debian-13');
/** Folders and files of test/. */
const SELECTED = /^(client|integration|kafka|logging|primary|worker)\/|^main\.test\.ts$/;
/** Tests that run alone and measure CPU time of this project's code, or test failures of Kafka. */
const EXCLUDED = /\/(hostile|outage-codes|stuck-lane|topic-deleted|worst-frames)\.test\.ts$/;
const PROGRAMS = ['debootstrap', 'git', 'npm', 'setpriv', 'unshare'];

function selectedTests(): string[] {
  const names = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => SELECTED.test(name) && /(?<!\.long)\.test\.ts$/.test(name))
    .filter((name) => !EXCLUDED.test(name))
    .sort()
    .map((name) => join('test', name));
}

/** Copies the jars into the root folder, where Kafka also writes its archive of classes. */
async function copyJars(): Promise<string> {
  const folder = join('/var/cache/kafka', kafkaVersion(), 'libs');
  const target = join(DEBIAN, folder);
  if (existsSync(target)) return folder;
  const jars = await ensureJars(console.log);
  await rm(`${target}.new`, { recursive: true, force: true });
  cpSync(jars, `${target}.new`, { recursive: true });
  await rename(`${target}.new`, target);
  return folder;
}

/** @returns whether all tests passed under this version */
async function runUnder(major: string, files: readonly string[], signal: AbortSignal) {
  const node = ensureNode(join(FOLDER, `node-${major}`), major);
  const checkout = `/srv/forebay-${major}`;
  ensureCheckout(ROOT, join(DEBIAN, checkout), join(node, 'bin'));
  const home = `/opt/node-${major}`;
  cpSync(join(node, 'bin'), join(DEBIAN, home, 'bin'), { recursive: true });
  const env = {
    PATH: `${home}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: '/root',
    LANG: 'C.UTF-8',
    FOREBAY_KAFKA_JARS: await copyJars(),
  };
  const script = 'cd "$0" && exec node --import tsx scripts/test.ts "$@"';
  const version = 'echo "platforms: Node.js $(node --version), $(getconf GNU_LIBC_VERSION)"';
  const command = ['sh', '-c', `${version}; ${script}`, checkout, ...files];
  return (await isolatedIn(DEBIAN, command, { env, signal })) === 0;
}

async function main(): Promise<number> {
  process.chdir(ROOT);
  const args = process.argv.slice(2);
  const isMajor = (arg: string) => /^\d+$/.test(arg);
  const majors = args.some(isMajor) ? args.filter(isMajor) : NODE_MAJORS;
  const named = args.filter((arg) => !isMajor(arg)).map((file) => relative(ROOT, file));
  const files = named.length > 0 ? named : selectedTests();
  const missing = PROGRAMS.filter((program) => !hasTool(program));
  if (process.getuid?.() !== 0 || missing.length > 0) {
    const what = missing.length > 0 ? missing.join(', ') : 'root: it mounts and changes its root';
    console.error(`platforms: needs ${what}`);
    return 2;
  }
  const aborting = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => aborting.abort());
  }
  const { env } = process;
  await ensureDebianRoot(DEBIAN, { env, signal: aborting.signal });
  const results: string[] = [];
  let passed = true;
  for (const major of majors) {
    const startMs = Date.now();
    const isPassed = await runUnder(major, files, aborting.signal);
    if (aborting.signal.aborted) return 130;
    const seconds = Math.round((Date.now() - startMs) / 1000);
    results.push(`platforms: Node.js ${major}: ${isPassed ? 'passed' : 'FAILED'} in ${seconds} s`);
    passed &&= isPassed;
  }
  console.log(results.join('\n'));
  return passed ? 0 : 1;
}

process.exitCode = await main();

/**
 * Runs the tests that depend on Node.js and the transport under each supported version, in a root
 * folder with Debian 13: `node --import tsx scripts/platforms/main.ts [22] [24] [26] [files]`. Needs
 * root. Downloads and everything else that it creates are in build/platforms/.
 */
import { cpSync, existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { ensureJars, kafkaVersion, ROOT } from '../../deploy/kafka/jars.ts';
import { hasTool } from '../../testing/tools.ts';
import { ensureCheckout, ensureNode } from './checkout.ts';
import { ensureDebianRoot } from './debian-root.ts';
import { isolatedIn } from './isolated.ts';
import { majorsOf, type Pass, passesOf } from './selection.ts';

const FOLDER = join(ROOT, 'build/platforms');
const DEBIAN = join(FOLDER, 'debian-13');
const PROGRAMS = ['debootstrap', 'git', 'npm', 'setpriv', 'unshare'];

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

/** @returns whether all tests of the passes passed under this version */
async function runUnder(major: string, passes: readonly Pass[], signal: AbortSignal) {
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
    RERUN_FAILED: process.env.RERUN_FAILED,
  };
  let passed = true;
  for (const { transport, files } of passes) {
    if (signal.aborted) return false;
    const title = `Node.js $(node --version), $(getconf GNU_LIBC_VERSION), transport ${transport}`;
    const script = `echo "platforms: ${title}"
      cd "$0" && exec node --import tsx scripts/test.ts "$@"`;
    const command = ['sh', '-c', script, checkout, ...files];
    const options = { env: { ...env, TRANSPORT: transport }, signal };
    if ((await isolatedIn(DEBIAN, command, options)) !== 0) passed = false;
  }
  return passed;
}

async function main(): Promise<number> {
  process.chdir(ROOT);
  const args = process.argv.slice(2);
  const isMajor = (arg: string) => /^\d+$/.test(arg);
  const majors = args.some(isMajor) ? args.filter(isMajor) : majorsOf(ROOT);
  const named = args.filter((arg) => !isMajor(arg)).map((file) => relative(ROOT, file));
  const transport = process.env.TRANSPORT === 'node' ? 'node' : 'uws';
  const ofNames: Pass = { transport, files: named };
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
    const passes = named.length > 0 ? [ofNames] : passesOf(major, ROOT);
    const isPassed = await runUnder(major, passes, aborting.signal);
    if (aborting.signal.aborted) return 130;
    const seconds = Math.round((Date.now() - startMs) / 1000);
    results.push(`platforms: Node.js ${major}: ${isPassed ? 'passed' : 'FAILED'} in ${seconds} s`);
    passed &&= isPassed;
  }
  console.log(results.join('\n'));
  return passed ? 0 : 1;
}

process.exitCode = await main();

/** A private PostgreSQL server in a temporary folder, reached by a socket in it. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missing } from '../../../testing/tools.ts';
import { runWith } from './run.ts';

/** First version with MERGE. */
const VERSION_MIN = 15;
const DEBIAN_FOLDER = '/usr/lib/postgresql';

/** Folder of the newest server's programs, which Debian does not have on the PATH. */
function programs(): string | undefined {
  if (!existsSync(DEBIAN_FOLDER)) return undefined;
  const versions = readdirSync(DEBIAN_FOLDER).map(Number);
  const [newest] = versions.filter((version) => version >= VERSION_MIN).sort((a, b) => b - a);
  const folder = join(DEBIAN_FOLDER, String(newest), 'bin');
  return existsSync(join(folder, 'initdb')) ? folder : undefined;
}

/** Value for a test's option `skip`; see `missingTool`. */
export function missingPostgres(): string | false {
  return programs() === undefined ? missing(`PostgreSQL ${VERSION_MIN} or later`) : false;
}

export class Postgres {
  readonly #folder = mkdtempSync(join(tmpdir(), 'forebay-postgres-'));
  readonly #programs = programs()!;
  /** The server refuses to run as root. */
  readonly #user: { uid?: number; gid?: number } = {};

  start(): void {
    if (process.getuid?.() === 0) {
      const idOf = (flag: string) => Number(execFileSync('id', [flag, 'postgres']));
      Object.assign(this.#user, { uid: idOf('-u'), gid: idOf('-g') });
      chownSync(this.#folder, this.#user.uid!, this.#user.gid!);
    }
    const initial = ['-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--locale=C', '--no-sync'];
    this.#run('initdb', '-D', this.#data, ...initial);
    const settings = `-c listen_addresses= -c fsync=off -c unix_socket_directories=${this.#folder}`;
    const log = join(this.#folder, 'log');
    this.#run('pg_ctl', '-D', this.#data, '-w', '-l', log, '-o', settings, 'start');
  }

  /** Runs a script of psql in one connection. @returns lines of its results, without padding */
  run(script: string): Promise<string[]> {
    const options = ['-h', this.#folder, '-U', 'postgres', '-d', 'postgres'];
    const quiet = ['-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-f', '-'];
    return runWith(script, join(this.#programs, 'psql'), [...options, ...quiet]);
  }

  stop(): void {
    if (existsSync(join(this.#data, 'postmaster.pid'))) {
      this.#run('pg_ctl', '-D', this.#data, '-w', '-m', 'immediate', 'stop');
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #data(): string {
    return join(this.#folder, 'data');
  }

  #run(program: string, ...args: string[]): void {
    const command = join(this.#programs, program);
    // The server keeps the streams of pg_ctl: a pipe would not end.
    const stdio: ('ignore' | 'inherit')[] = ['ignore', 'ignore', 'inherit'];
    const options = { ...this.#user, cwd: this.#folder, stdio };
    const { status } = spawnSync(command, args, options);
    assert.equal(status, 0, program);
  }
}

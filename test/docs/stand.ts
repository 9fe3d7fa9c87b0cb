/** A folder like the project's, writable by the blocks, and terminals in it. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../deploy/kafka/jars.ts';
import { freePorts } from '../../deploy/kafka/ports.ts';
import { uniqueTopic } from '../../testing/kafka.ts';
import { Terminal } from './terminal.ts';

/** Ports named on the pages: clients, operators, a page's own server, Prometheus. */
const DOCUMENTED = ['9000', '9001', '8000', '9090'];
const NO_SETTING = /^(?!(FOREBAY|KAFKA|LOG)_|MAKE|MFLAGS|NODE_TEST)/;

export class Stand {
  readonly #folder = mkdtempSync(join(tmpdir(), 'forebay-docs-'));
  readonly #ports: readonly number[];
  readonly #env: NodeJS.ProcessEnv;
  readonly #before: string;
  readonly #terminals: Terminal[] = [];

  constructor(brokers: readonly string[], ports: readonly number[]) {
    this.#ports = ports;
    const kept = Object.entries(process.env).filter(([name]) => NO_SETTING.test(name));
    const settings = {
      KAFKA_BROKERS: brokers.join(','),
      KAFKA_TOPIC: uniqueTopic('docs'),
      FOREBAY_PORT: String(ports[0]),
      FOREBAY_ADMIN_PORT: String(ports[1]),
      FOREBAY_WORKERS: '1',
    };
    this.#env = { ...Object.fromEntries(kept), ...settings };
    // Other tests use the build: it must not be rebuilt meanwhile.
    this.#before = `
      make() { command make -o node_modules/.package-lock.json -o dist/.built "$@"; }
      prometheus() { command prometheus --web.listen-address=127.0.0.1:${ports[3]} "$@"; }
    `;
    this.#furnish();
  }

  /** @param brokers of the Kafka in place of that of `make run` */
  static async open(brokers: readonly string[]): Promise<Stand> {
    return new Stand(brokers, await freePorts(DOCUMENTED.length));
  }

  #furnish(): void {
    const at = (name: string) => join(this.#folder, name);
    for (const name of readdirSync(ROOT)) {
      if (name !== 'deploy' && !name.startsWith('.')) symlinkSync(join(ROOT, name), at(name));
    }
    mkdirSync(at('deploy'));
    symlinkSync(join(ROOT, 'deploy/kafka'), at('deploy/kafka'));
    cpSync(join(ROOT, 'deploy/prometheus'), at('deploy/prometheus'), { recursive: true });
    const config = at('deploy/prometheus/prometheus.yml');
    const quick = readFileSync(config, 'utf8').replace(/: (15|5)s$/gm, ': 1s');
    writeFileSync(config, this.here(quick));
  }

  /** A text of the pages with the ports of this stand. */
  here(text: string): string {
    const pattern = new RegExp(`\\b(${DOCUMENTED.join('|')})\\b`, 'g');
    return text.replace(pattern, (port) => String(this.#ports[DOCUMENTED.indexOf(port)]));
  }

  terminal(env: NodeJS.ProcessEnv = {}): Terminal {
    const opened = new Terminal(this.#folder, { ...this.#env, ...env }, this.#before);
    this.#terminals.push(opened);
    return opened;
  }

  /** Closes the terminals, last opened first. */
  async closeTerminals(): Promise<void> {
    for (const opened of this.#terminals.splice(0).reverse()) await opened.close();
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

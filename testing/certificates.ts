/** Certificates for tests, created by openssl in a directory that is removed at process exit. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface KeyPair {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface LeafOptions {
  /** Names and addresses in openssl syntax. */
  readonly hosts?: string;
  /** Days of validity; -1 = expired yesterday. */
  readonly days?: number;
  /** Key type, in the syntax of `openssl genpkey -algorithm`. */
  readonly key?: readonly string[];
}

const LOCAL = 'DNS:localhost,IP:127.0.0.1';
const P256 = ['EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];

const DAY_MS = 86_400_000;

/** Returns a time in the syntax of openssl, `20261130120000Z`. */
function asn1Time(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`;
}

/** Certificate authority and its files. */
export class Authority {
  readonly dir: string;
  /** CA certificate. */
  readonly caFile: string;
  readonly #keyFile: string;
  /** Configuration of `openssl ca`, which issues expired certificates in every version. */
  readonly #configFile: string;

  constructor(name = 'test authority') {
    this.dir = mkdtempSync(join(tmpdir(), 'forebay-certificates-'));
    process.once('exit', () => rmSync(this.dir, { recursive: true, force: true }));
    this.caFile = this.path('ca.pem');
    this.#keyFile = this.#genKey('ca', P256);
    const subject = ['-subj', `/CN=${name}`, '-days', '30', '-key', this.#keyFile];
    openssl(['req', '-x509', ...subject, '-out', this.caFile]);
    this.#configFile = this.file('ca.cnf', this.#configuration());
    this.file('index.txt', '');
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  get ca(): Buffer {
    return readFileSync(this.caFile);
  }

  /** Issues a certificate with this common name, and its key. */
  issue(name: string, { hosts = LOCAL, days = 30, key = P256 }: LeafOptions = {}): KeyPair {
    const keyFile = this.#genKey(name, key);
    const [request, extensions] = [this.path(`${name}.csr`), this.path(`${name}.ext`)];
    const certFile = this.path(`${name}.pem`);
    openssl(['req', '-new', '-key', keyFile, '-subj', `/CN=${name}`, '-out', request]);
    writeFileSync(extensions, `subjectAltName=${hosts}\n`);
    const end = Date.now() + days * DAY_MS;
    const start = Math.min(Date.now(), end - DAY_MS);
    const validity = ['-startdate', asn1Time(start), '-enddate', asn1Time(end)];
    const what = ['-in', request, '-extfile', extensions, ...validity];
    openssl(['ca', '-batch', '-notext', '-config', this.#configFile, ...what, '-out', certFile]);
    return { certFile, keyFile };
  }

  #configuration(): string {
    return `[ca]
default_ca = authority
[authority]
certificate = ${this.caFile}
private_key = ${this.#keyFile}
database = ${this.path('index.txt')}
new_certs_dir = ${this.dir}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = subject
[subject]
commonName = supplied
`;
  }

  /** Writes a text to a file. */
  file(name: string, text: string): string {
    writeFileSync(this.path(name), text);
    return this.path(name);
  }

  #genKey(name: string, algorithm: readonly string[]): string {
    const keyFile = this.path(`${name}.key`);
    openssl(['genpkey', '-algorithm', ...algorithm, '-out', keyFile]);
    return keyFile;
  }
}

/** Replaces one pair's files with another's, as a certificate renewal does. */
export function replaceFiles(place: KeyPair, by: KeyPair): void {
  copyFileSync(by.certFile, place.certFile);
  copyFileSync(by.keyFile, place.keyFile);
}

function openssl(args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

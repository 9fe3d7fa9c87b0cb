import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { SETTINGS } from '../src/config/settings.ts';
import { Authority } from '../testing/certificates.ts';
import { Child, freePort } from '../testing/child.ts';
import { missingTool } from '../testing/tools.ts';

const children: Child[] = [];
after(async () => {
  for (const child of children) await child.kill();
});

/** The invocation in these tests, which texts must repeat for copying. */
const CALLED = 'node dist/main.js';

/** Runs a third-party cluster program that starts the command. */
function foreign(how: 'worker' | 'nested', args: readonly string[], env = {}): Child {
  const child = new Child('test/fixtures/foreign-cluster.mjs', [how, 'dist/main.js', ...args], env);
  children.push(child);
  return child;
}

/** Settings of a gateway without a Kafka. */
async function lonely(): Promise<Record<string, string>> {
  return {
    FOREBAY_HOST: '127.0.0.1',
    FOREBAY_PORT: String(await freePort()),
    FOREBAY_ADMIN_PORT: String(await freePort()),
    FOREBAY_WORKERS: '1',
    KAFKA_BROKERS: '127.0.0.1:1',
  };
}

/** Runs the command. */
async function forebay(args: readonly string[], env: Record<string, string> = {}) {
  const child = new Child('dist/main.js', args, env);
  children.push(child);
  const { code } = await child.ended;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

test('--help and -h: the commands and every setting', async () => {
  const [long, short] = await Promise.all([forebay(['--help']), forebay(['-h'])]);
  assert.deepEqual(long, short);
  assert.equal(long.code, 0);
  for (const { env } of Object.values(SETTINGS)) assert(long.stdout.includes(` ${env} `), env);
  for (const command of ['config', 'doctor', 'health', 'listen', '--help']) {
    assert(long.stdout.includes(` ${CALLED} ${command} `), command);
  }
});

test('--version is the package’s', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  assert.deepEqual(await forebay(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' });
});

test('config prints the effective settings, and no secret', async () => {
  const { code, stdout, stderr } = await forebay(['config'], {
    FOREBAY_PORT: '9123',
    FOREBAY_WORKER: 'hunter2',
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USERNAME: 'me',
    KAFKA_SASL_PASSWORD: 'hunter2',
  });
  assert.equal(code, 0);
  assert.match(stdout, /^FOREBAY_PORT=9123$/m);
  assert.match(stdout, /^KAFKA_SASL_PASSWORD=\(hidden\)$/m);
  assert.doesNotMatch(stdout, /hunter2/);
  assert.equal(stderr, 'forebay: FOREBAY_WORKER is not a setting; did you mean FOREBAY_WORKERS?\n');
});

/** A folder for the files of a test. */
function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-main-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('config reads the files too, and reports all unusable ones: exit code 2', async (t) => {
  const folder = folderOf(t);
  const file = (name: string, content: string) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  const absent = join(folder, 'absent');
  const env = {
    FOREBAY_EVENT_SCHEMA: file('schema.json', '{"type":"text"}'),
    FOREBAY_TLS_CERT_FILE: file('cert.pem', 'no certificate'),
    FOREBAY_TLS_KEY_FILE: absent,
    FOREBAY_ADMIN_TOKEN_FILE: file('token', '\n'),
    FOREBAY_KEYS_FILE: file('keys.json', '{"keys":[{"name":"a","sha256":"hunter2"}]}'),
    FOREBAY_JWT_JWKS_FILE: folder,
    FOREBAY_JWT_AUDIENCE: 'a',
    FOREBAY_JWT_ISSUER: 'a',
    KAFKA_TLS: '1',
    KAFKA_TLS_CA_FILE: absent,
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USERNAME: 'me',
    KAFKA_SASL_PASSWORD_FILE: file('password', '\ufeffhunter2'),
  };
  const { code, stdout, stderr } = await forebay(['config'], env);
  assert.equal(code, 2);
  assert.match(stdout, /^KAFKA_TLS=1$/m);
  const expected = [
    'EVENT_SCHEMA: \\S+schema.json is not a valid schema of draft-07: /type must be one of .*',
    'TLS_CERT_FILE: \\S+cert.pem has no PEM certificate',
    'TLS_KEY_FILE: cannot read \\S+absent: no such file or directory \\(ENOENT\\)',
    'KAFKA_TLS_CA_FILE: cannot read \\S+absent: no such file or directory \\(ENOENT\\)',
    'KAFKA_SASL_PASSWORD_FILE: \\S+password begins with a byte order mark \\(UTF-8\\): .*',
    'ADMIN_TOKEN_FILE: \\S+token is empty',
    'KEYS_FILE: \\S+keys.json keys\\[0\\].sha256 must be .*',
    'JWT_JWKS_FILE: cannot read \\S+: it is a directory, not a file \\(EISDIR\\)',
  ].map((line) => `forebay: (FOREBAY_)?${line}\n`);
  assert.match(stderr, new RegExp(`^${expected.join('')}$`));
  assert.doesNotMatch(stdout + stderr, /hunter2/);
});

test('config warns about usable but questionable files: exit code 0', {
  skip: missingTool('openssl'),
}, async (t) => {
  const folder = folderOf(t);
  const schema = join(folder, 'schema.json');
  writeFileSync(schema, '{"type":"array","requird":["a"],"properties":{"m":{"format":"emial"}}}');
  const authority = new Authority();
  const own = authority.issue('own', { days: 3 });
  const client = authority.issue('client', { days: -1 });
  const { code, stderr } = await forebay(['config'], {
    FOREBAY_EVENT_SCHEMA: schema,
    FOREBAY_TLS_CERT_FILE: own.certFile,
    FOREBAY_TLS_KEY_FILE: own.keyFile,
    KAFKA_TLS: '1',
    KAFKA_TLS_CA_FILE: authority.caFile,
    KAFKA_TLS_CERT_FILE: client.certFile,
    KAFKA_TLS_KEY_FILE: client.keyFile,
  });
  assert.equal(code, 0);
  const lines = stderr.trimEnd().split('\n');
  assert.equal(lines.length, 5, stderr);
  const named = `forebay: FOREBAY_EVENT_SCHEMA: ${schema}`;
  assert.deepEqual(lines.slice(0, 3), [
    `${named} /type allows no object: no event can match the schema`,
    `${named} /requird is not a keyword of draft-07 and is ignored; did you mean required?`,
    `${named} /properties/m/format names the format "emial", which is not checked; ` +
      'did you mean email?',
  ]);
  assert.match(
    lines[3]!,
    /^forebay: FOREBAY_TLS_CERT_FILE: the certificate of CN=own expires on 2/,
  );
  assert.match(lines[4]!, /^forebay: KAFKA_TLS_CERT_FILE: .* CN=client expired on 2/);
});

test('config finds a key that does not match the certificate, for clients and for Kafka', {
  skip: missingTool('openssl'),
}, async () => {
  const authority = new Authority();
  const [one, two] = [authority.issue('one'), authority.issue('two')];
  const { code, stderr } = await forebay(['config'], {
    FOREBAY_TLS_CERT_FILE: one.certFile,
    FOREBAY_TLS_KEY_FILE: two.keyFile,
    KAFKA_TLS: '1',
    KAFKA_TLS_CERT_FILE: one.certFile,
    KAFKA_TLS_KEY_FILE: two.keyFile,
  });
  assert.equal(code, 2);
  const [own, kafka, ...more] = stderr.trimEnd().split('\n');
  assert.match(
    own!,
    /^forebay: FOREBAY_TLS_KEY_FILE: \S+ is not the key of the first certificate /,
  );
  assert.match(
    kafka!,
    /^forebay: KAFKA_TLS_KEY_FILE: \S+ is not the key of the first certificate /,
  );
  assert.deepEqual(more, []);
});

test('no line on stderr names the command twice, however a command fails', async () => {
  const absent = '/does/not/exist';
  const tls = { FOREBAY_TLS_CERT_FILE: absent, FOREBAY_TLS_KEY_FILE: absent };
  const runs: [string[], Record<string, string>?][] = [
    [['config'], { FOREBAY_EVENT_SCHEMA: absent }],
    [[], { FOREBAY_EVENT_SCHEMA: absent, ...tls }],
    [['config'], { FOREBAY_PORT: 'x', FOREBAY_PRT: '1' }],
    [['unknown']],
    [['health'], { FOREBAY_ADMIN_PORT: String(await freePort()) }],
    [['health', '--other']],
    [['doctor', '--other']],
    [['listen', '--other']],
    [['listen', '--from', 'x']],
    [['listen'], { KAFKA_TLS: '1', KAFKA_TLS_CA_FILE: absent }],
    [['listen'], { FOREBAY_PORT: 'x' }],
    [['key', 'new']],
    [['key', 'new', '--name', 'a', '--file', absent]],
  ];
  for (const [args, env] of runs) {
    const { code, stderr } = await forebay(args, env);
    assert.notEqual(code, 0, args.join(' '));
    for (const line of stderr.trimEnd().split('\n')) {
      assert.match(line, /^(forebay: (?!forebay)| {2})/, `${args.join(' ')}: ${stderr}`);
    }
  }
});

test('an unknown variable is a warning in the log', async () => {
  const child = new Child('dist/main.js', [], {
    FOREBAY_HOST: '127.0.0.1',
    FOREBAY_PORT: String(await freePort()),
    FOREBAY_ADMIN_PORT: String(await freePort()),
    FOREBAY_WORKERS: '1',
    FOREBAY_SERVICE_HOST: '10.0.0.1',
    KAFKA_BROKER: '127.0.0.1:1',
    KAFKA_BROKERS: '127.0.0.1:1',
  });
  children.push(child);
  const text = 'KAFKA_BROKER is not a setting; did you mean KAFKA_BROKERS?';
  const { level, name } = await child.line(({ msg }) => msg === text);
  assert.deepEqual([level, name], ['warn', 'primary']);
  assert.equal(child.lines().filter(({ msg }) => /is not a setting/.test(`${msg}`)).length, 1);
});

test('Node.js 20 is deprecated: one warning per start; supported versions log none', async () => {
  const child = new Child('dist/main.js', [], {
    FOREBAY_HOST: '127.0.0.1',
    FOREBAY_PORT: String(await freePort()),
    FOREBAY_ADMIN_PORT: String(await freePort()),
    FOREBAY_WORKERS: '2',
    KAFKA_BROKERS: '127.0.0.1:1',
  });
  children.push(child);
  await child.line(({ msg }) => msg === 'not ready');
  const { node } = process.versions;
  const deprecation = { level: 'warn', name: 'primary', node, supported: ['22', '24', '26'] };
  const lines = child.lines().filter(({ msg }) => msg === 'Node.js version is deprecated');
  assert.deepEqual(
    lines.map(({ level, name, node, supported }) => ({ level, name, node, supported })),
    node.startsWith('20.') ? [deprecation] : [],
  );
});

test('as a worker of a foreign cluster it does not serve: one line, exit code 2', async () => {
  const child = foreign('worker', [], await lonely());
  const { code } = await child.ended;
  assert.deepEqual(
    { code, stdout: child.stdout, stderr: child.stderr },
    {
      code: 2,
      stdout: '',
      stderr:
        'forebay: started as a worker of another program’s cluster (pm2 in cluster mode, node:cluster): ' +
        'start it as one plain process (pm2 in fork mode, without -i), which forks ' +
        'FOREBAY_WORKERS workers\n',
    },
  );
});

test('a variable left behind by a cluster: one line that names it, exit code 2', async () => {
  const { code, stdout, stderr } = await forebay([], { NODE_UNIQUE_ID: '1', ...(await lonely()) });
  assert.deepEqual([code, stdout], [2, '']);
  const line = 'forebay: NODE_UNIQUE_ID is set, as in a worker of node:cluster: unset it\n';
  assert.equal(stderr, line);
});

test('commands that do not serve work in a foreign cluster, too', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  const cases: [string[], number, RegExp, RegExp][] = [
    [['--version'], 0, new RegExp(`^${version}\n$`), /^$/],
    [['--help'], 0, /^Forebay receives JSON events/, /^$/],
    [['config'], 0, /^KAFKA_BROKERS=127\.0\.0\.1:1$/m, /^$/],
    [['health'], 1, /^$/, /^forebay: /],
    [['srve'], 2, /^$/, /^forebay: unknown command "srve"/],
  ];
  const env = await lonely();
  for (const [args, exitCode, stdout, stderr] of cases) {
    const child = foreign('worker', args, env);
    const { code } = await child.ended;
    assert.equal(code, exitCode, `${args}: ${child.stderr}`);
    assert.match(child.stdout, stdout);
    assert.match(child.stderr, stderr);
  }
});

test('as a process started by a worker of a foreign cluster it serves', async () => {
  const child = foreign('nested', [], await lonely());
  const { pid } = await child.line(({ msg }) => msg === 'started');
  const { msg } = await child.line(({ worker }) => worker === 1);
  assert.equal(msg, 'broker connection failed', 'a worker of its own asks for Kafka');
  process.kill(Number(pid), 'SIGTERM');
  assert.deepEqual(await child.ended, { code: 0, signal: null });
});

test('an unknown command, and unexpected arguments: one line, exit code 2', async () => {
  const [unknown, extra] = await Promise.all([forebay(['srve']), forebay(['config', 'x'])]);
  const see = `see ${CALLED} --help\n`;
  assert.deepEqual(unknown, {
    code: 2,
    stdout: '',
    stderr: `forebay: unknown command "srve"; ${see}`,
  });
  assert.deepEqual(extra, {
    code: 2,
    stdout: '',
    stderr: `forebay: config takes no arguments; ${see}`,
  });
});

test('invalid settings are reported all at once, exit code 2, without a stack', async () => {
  const { code, stdout, stderr } = await forebay([], {
    FOREBAY_PORT: '90000',
    KAFKA_TLS: 'yes',
    KAFKA_BROKERS: 'no-port',
    LOG_LEVEL: 'loud',
  });
  assert.equal(code, 2);
  assert.equal(stdout, '');
  const lines = stderr.trimEnd().split('\n');
  assert.equal(lines[0], 'forebay: invalid settings:');
  assert.deepEqual(
    lines.slice(1).map((line) => line.trim().split(' ')[0]),
    ['FOREBAY_PORT', 'KAFKA_BROKERS', 'KAFKA_TLS', 'LOG_LEVEL'],
  );
});

test('a port in use: one line that names it, exit code 1', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  const busy = String((holder.address() as AddressInfo).port);
  const free = String(await freePort());
  const host = { FOREBAY_HOST: '127.0.0.1', FOREBAY_WORKERS: '1' };
  const [client, admin] = await Promise.all([
    forebay([], { ...host, FOREBAY_PORT: busy, FOREBAY_ADMIN_PORT: free }),
    forebay([], { ...host, FOREBAY_PORT: free, FOREBAY_ADMIN_PORT: busy }),
  ]);
  await new Promise((resolve) => holder.close(resolve));
  const line = (env: string) => `forebay: ${env}: port ${busy} is already in use on 127.0.0.1\n`;
  assert.deepEqual(client, { code: 1, stdout: '', stderr: line('FOREBAY_PORT') });
  assert.deepEqual(admin, { code: 1, stdout: '', stderr: line('FOREBAY_ADMIN_PORT') });
});

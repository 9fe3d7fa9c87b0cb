/**
 * The command blocks of README.md and docs/ work as described: they are run here, in a folder like
 * the project's, on free ports in place of 9000, 9001, 8000 and 9090 and with the Kafka of the
 * tests; or another test runs the same; or they are marked as not runnable in a test.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { ROOT } from '../../deploy/kafka/jars.ts';
import { sharedKafka } from '../../testing/kafka.ts';
import { missingPython, missingTool, pythonWith } from '../../testing/tools.ts';
import { until } from '../../testing/wait.ts';
import { allFences, type Fence, fencesOf } from './fences.ts';
import { Stand } from './stand.ts';

const SHELLS = ['sh', 'bash', 'console', 'shell', 'python', 'py'];
const MARKS = ['docker', 'cluster', 'root', 'network', 'long'];
const fences = allFences();

/** Blocks covered by another test: a text of the block, that test, and a text in it. */
const ELSEWHERE: readonly { page: string; text: string; test: string; has: string }[] = [
  {
    page: 'docs/listen.md',
    text: 'make listen ARGS="--from -15m --filter clientId=ann"',
    test: 'test/cli/listen/help.test.ts',
    has: 'commands in docs/listen.md have valid options',
  },
  {
    page: 'docs/security.md',
    text: 'FOREBAY_JWT_JWKS_URL=',
    test: 'test/integration/identity-changes.test.ts',
    has: 'FOREBAY_JWT_JWKS_URL',
  },
  {
    page: 'docs/deploy-haproxy.md',
    text: 'haproxy -c -f',
    test: 'test/deploy/haproxy.test.ts',
    has: "'-c', '-f', FILE",
  },
  {
    page: 'docs/deploy-nginx.md',
    text: 'nginx -t -c',
    test: 'test/deploy/nginx.test.ts',
    has: 'checkNginx(',
  },
  {
    page: 'docs/deploy-systemd.md',
    text: 'systemd-analyze security --offline=true',
    test: 'test/deploy/systemd.test.ts',
    has: "'security', '--offline=true'",
  },
  {
    page: 'docs/deploy-kubernetes.md',
    text: 'kubectl kustomize deploy/kubernetes/overlays/production',
    test: 'test/deploy/kubernetes.test.ts',
    has: "'overlays/production'",
  },
  {
    page: 'docs/client.md',
    text: 'npm install ../forebay',
    test: 'test/client/package.test.ts',
    has: "import.meta.resolve('forebay/client')",
  },
  {
    page: 'docs/getting-started.md',
    text: 'make kafka-stop',
    test: 'test/deploy/service.long.test.ts',
    has: 'down(',
  },
  {
    page: 'docs/development.md',
    text: 'REQUIRE_TOOLS=1 make test',
    test: 'test/scripts/test.test.ts',
    has: 'REQUIRE_TOOLS',
  },
  {
    page: 'docs/streams.md',
    text: 'streams diff examples/streams/new.yaml',
    test: 'test/cli/streams/diff.test.ts',
    has: 'the page shows the differences of its example',
  },
  {
    page: 'docs/streams.md',
    text: 'streams spec examples/streams/streams.yaml',
    test: 'test/cli/streams/spec.test.ts',
    has: 'the command prints YAML or JSON of each document',
  },
  {
    page: 'docs/streams.md',
    text: 'streams check examples/streams/streams.yaml',
    test: 'test/streams/example.test.ts',
    has: 'streams check prints the streams of the example as on the page',
  },
];

const claimed = new Set<string>();

/** The first block of a page that contains this text, run by a test below. */
function here(page: string, text: string): string {
  const found = fences.find((fence) => fence.page === page && fence.text.includes(text));
  assert(found, `a block of ${page} with ${text}`);
  claimed.add(found.text);
  return found.text;
}

/** Output shown on the page below the block that contains this text. */
function answerBelow(page: string, text: string): string {
  const index = fences.findIndex((fence) => fence.page === page && fence.text.includes(text));
  return fences[index + 1]!.text;
}

const BLOCKS = {
  run: here('README.md', 'make run'),
  listen: here('README.md', 'make listen'),
  curl: here('README.md', 'curl -i localhost:9000/events'),
  listenOne: here('docs/getting-started.md', 'make listen'),
  twoStreams: here('docs/getting-started.md', 'cat > streams.yaml'),
  twoStreamsRun: here('docs/getting-started.md', 'FOREBAY_STREAMS_FILE=streams.yaml make run'),
  twoStreamsPost: here('docs/getting-started.md', '/events/orders'),
  twoStreamsListen: here('docs/getting-started.md', 'make listen STREAM=orders'),
  prometheus: here('docs/getting-started.md', 'prometheus --config.file'),
  query: here('docs/getting-started.md', '/api/v1/query'),
  metrics: here('docs/operations.md', 'metrics() {'),
  restart: here('docs/operations.md', 'curl -X POST localhost:9001/workers/restart'),
  drain: here('docs/operations.md', '/drain'),
  msgpack: here('docs/protocol.md', 'application/msgpack'),
  post: here('docs/protocol.md', '"msg":"no time","clientId":"me"}]'),
  gzip: here('docs/protocol.md', 'gzip |'),
  preflight: here('docs/protocol.md', '-X OPTIONS'),
  json: here('docs/listen.md', '--json" | node'),
  python: here('docs/other-languages.md', 'docs/examples/client.py'),
  serveFolder: here('docs/client.md', 'http.server'),
  pageOrigins: here('docs/client.md', 'FOREBAY_ORIGINS'),
  keyNew: here('docs/security.md', 'key new'),
  keysRun: here('docs/security.md', 'FOREBAY_KEYS_FILE=keys.json make run'),
  keyCurl: here('docs/security.md', 'Bearer $TOKEN'),
  origins: here('docs/security.md', 'FOREBAY_ORIGINS='),
  edge: here('docs/security.md', 'FOREBAY_TRUSTED_PROXIES=10'),
  tlsRun: here('docs/security.md', 'openssl req'),
  tlsCurl: here('docs/security.md', '--cacert'),
  renew: here('docs/operations.md', 'mv new-cert.pem'),
  schema: here('docs/schema.md', 'cat > event-schema.json'),
  schemaRun: here('docs/schema.md', 'sed -i s/requird/required/'),
  schemaPost: here('docs/schema.md', '"type":"scroll"'),
  schemaChange: here('docs/schema.md', '"session"'),
  streamsRun: here('docs/streams.md', 'FOREBAY_STREAMS_FILE='),
  streamsPost: here('docs/streams.md', '@examples/streams/events.json'),
  streamsPath: here('docs/streams.md', '/events/orders'),
};

const READY = /"msg":"ready"/;
const STORED = /\{"accepted":1,"errors":\[\]\}/;
let stand: Stand;
before(async () => {
  const { brokers } = await sharedKafka();
  stand = await Stand.open(brokers);
});
afterEach(() => stand.closeTerminals());
after(() => stand?.remove());

/** A terminal in which this block keeps running. */
async function serving(block: string, says: RegExp = READY) {
  const terminal = stand.terminal();
  terminal.serve(stand.here(block));
  await terminal.says(says);
  return terminal;
}

test('README, getting started: run, listen, send, and what Prometheus reports', async (t) => {
  await serving(BLOCKS.run);
  const listener = await serving(BLOCKS.listen, /forebay: reading/);
  const terminal = stand.terminal();
  const run = (block: string) => terminal.run(stand.here(block));
  assert.match(
    await run(BLOCKS.curl),
    /^HTTP\/1.1 200 OK\r\n[\s\S]*\{"accepted":1,"errors":\[\]\}/m,
  );
  await listener.says(/"msg":"hello","clientId":"me"/);
  assert.match(await run(BLOCKS.listenOne), /"msg":"hello","clientId":"me"/);
  await t.test('Prometheus scrapes it', { skip: missingTool('prometheus') }, async () => {
    await serving(BLOCKS.prometheus, /Server is ready/);
    const up = async () => /"value":\[[\d.]+,"1"\]/.test(await run(BLOCKS.query));
    await until(up, { everyMs: 200, what: 'up of the gateway' });
  });
});

test('getting started: from one topic to two streams', async () => {
  const plain = (text: string) => text.replaceAll('\r', '').trim();
  const terminal = stand.terminal();
  const table = await terminal.run(stand.here(BLOCKS.twoStreams));
  assert.equal(plain(table), plain(answerBelow('docs/getting-started.md', 'cat > streams.yaml')));
  await serving(BLOCKS.twoStreamsRun);
  const answers = await terminal.run(stand.here(BLOCKS.twoStreamsPost));
  assert.equal(plain(answers), plain(answerBelow('docs/getting-started.md', '/events/orders')));
  const listened = await terminal.run(stand.here(BLOCKS.twoStreamsListen));
  assert.match(listened, /\tA-1\t\{"order":"A-1","total":30\}/);
});

test('protocol, listen, operations: requests are answered as documented', async () => {
  const gateway = await serving(BLOCKS.run);
  const terminal = stand.terminal();
  const run = (block: string) => terminal.run(stand.here(block));
  const plain = (text: string) => text.replaceAll('\r', '').trim();
  assert.match(await run(BLOCKS.msgpack), STORED);
  for (const [block, text] of [
    [BLOCKS.post, '"msg":"no time","clientId":"me"}]'],
    [BLOCKS.gzip, 'gzip |'],
  ] as const) {
    assert.equal(plain(await run(block)), plain(answerBelow('docs/protocol.md', text)));
  }
  const preflight = plain(await run(BLOCKS.preflight));
  for (const line of stand.here(answerBelow('docs/protocol.md', '-X OPTIONS')).split('\n')) {
    assert(preflight.includes(line), `${line} in\n${preflight}`);
  }
  for (let sent = 0; sent < 5; sent++) await run(BLOCKS.curl);
  assert.match(await run(BLOCKS.json), /^\{.*"clientId":/m);
  await run(BLOCKS.metrics);
  const stored = () => terminal.run('metrics events_stored');
  const sample = /^forebay_events_stored_total\{stream="default"\} \d/m;
  await until(async () => sample.test(await stored()));
  assert.match(await run(BLOCKS.restart), /\{"restart":"begun"\}/);
  await gateway.says(/"msg":"rolling restart completed"/);
  assert.match(await run(BLOCKS.drain), /\{"drain":"begun"\}/);
  await gateway.says(/"msg":"drain ended"/);
});

test('other languages: the example in Python', { skip: missingPython('websockets') }, async () => {
  await serving(BLOCKS.run);
  const terminal = stand.terminal();
  await terminal.run(`python3() { command ${pythonWith('websockets')} "$@"; }`);
  const output = await terminal.run(stand.here(BLOCKS.python));
  assert.match(output, /^stored .*"clientId":"py"/m);
});

test('client: a folder is served, and its page may send', async () => {
  await serving(BLOCKS.pageOrigins);
  // With a pipe it prints nothing before it ends.
  stand.terminal().serve(stand.here(BLOCKS.serveFolder));
  const json = "-H 'content-type: application/json' -H 'origin: http://localhost:8000'";
  const from = stand.here(`${json} localhost:9000`);
  const terminal = stand.terminal();
  const served = async () => (await terminal.run(stand.here('curl -s localhost:8000/'))) !== '';
  await until(served);
  assert.match(
    await terminal.run(`curl -si ${from}/events -d '{"msg":"a","clientId":"b","timestamp":1}'`),
    STORED,
  );
});

test('schema: an error is found, events are validated, a change takes effect', async () => {
  const terminal = stand.terminal();
  const run = (block: string) => terminal.run(stand.here(block));
  const plain = (text: string) => text.replaceAll('\r', '').trim();
  const found = plain(await run(BLOCKS.schema))
    .split('\n')
    .sort();
  const shown = answerBelow('docs/schema.md', 'cat > event-schema.json');
  assert.deepEqual(found, plain(shown).split('\n').sort());
  const gateway = await serving(BLOCKS.schemaRun);
  const answer = answerBelow('docs/schema.md', '"type":"scroll"');
  assert.equal(plain(await run(BLOCKS.schemaPost)), plain(answer));
  assert.match(await run(BLOCKS.schemaChange), /\{"restart":"begun"\}/);
  await gateway.says(/"msg":"rolling restart completed"/);
  assert.match(
    await run(BLOCKS.schemaPost),
    /"accepted":0,.*must have required property 'session'/,
  );
});

test('streams: the example runs, and events are routed by field and path', async () => {
  await serving(BLOCKS.streamsRun);
  const terminal = stand.terminal();
  // The gateway is ready without the topic of `logs`, which is not required.
  const post = () => terminal.run(stand.here(BLOCKS.streamsPost));
  await until(async () => /"accepted":3/.test(await post()), { what: 'the topics of all streams' });
  for (const [block, text] of [
    [BLOCKS.streamsPost, '@examples/streams/events.json'],
    [BLOCKS.streamsPath, '/events/orders'],
  ] as const) {
    const answer = async () => (await terminal.run(stand.here(block))).replaceAll('\r', '').trim();
    const shown = answerBelow('docs/streams.md', text).trim();
    // The topic of a stream that is not required may follow shortly after readiness.
    let last = '';
    const isReady = async () => {
      last = await answer();
      return !last.includes('kafka_unavailable');
    };
    await until(isReady, { what: 'the topics' });
    assert.equal(last, shown);
  }
});

test('security: keys, origins, limits at an edge', async () => {
  const terminal = stand.terminal();
  await terminal.run(stand.here(BLOCKS.keyNew));
  await serving(BLOCKS.keysRun);
  const keyless = await terminal.run(stand.here(BLOCKS.curl));
  assert.match(keyless, /^HTTP\/1.1 401/m);
  assert.match(await terminal.run(stand.here(BLOCKS.keyCurl)), STORED);
  await stand.closeTerminals();
  await serving(BLOCKS.origins);
  await stand.closeTerminals();
  await serving(BLOCKS.edge);
});

test('security, operations: TLS, and a renewed certificate', {
  skip: missingTool('openssl'),
}, async () => {
  await serving(BLOCKS.tlsRun);
  const terminal = stand.terminal();
  assert.match(await terminal.run(stand.here(BLOCKS.tlsCurl)), STORED);
  const [make] = BLOCKS.tlsRun.split('\nFOREBAY_TLS');
  await terminal.run(make!.replace(/\b(key|cert)\.pem/g, 'new-$1.pem'));
  const renewed = await terminal.run(stand.here(BLOCKS.renew));
  assert.match(renewed, /\{"restart":"begun"\}[\s\S]*subject=CN ?= ?localhost\nnotAfter=/);
});

/** Problem of a block: undefined if it is run, or marked with a reason. */
function complaint({ at, page, language, mark, text }: Fence): string | undefined {
  const isConsole = language === '' && text.startsWith('$ ');
  if (!isConsole && !SHELLS.includes(language)) return undefined;
  if (mark !== undefined) return MARKS.includes(mark) ? undefined : `${at}: what is '${mark}'?`;
  const known =
    claimed.has(text) || ELSEWHERE.some((a) => a.page === page && text.includes(a.text));
  // Transcripts of `make listen`: the test of its blocks checks their options too.
  if (known || (isConsole && page === 'docs/listen.md')) return undefined;
  return `${at}: no test runs it, and it is not marked (${MARKS.join(', ')})`;
}

test('every command block is run here or by another test, or is marked', () => {
  const complaints = fences.map(complaint).filter((text) => text !== undefined);
  assert.deepEqual(complaints, []);
  const commands = fences.filter(({ language }) => SHELLS.includes(language));
  assert(commands.length > 30, `${commands.length} blocks were looked at`);
  const unknown = fencesOf('docs/x.md', 'text\n\n```sh\nrm x\n```\n\n```sh moon\nls\n```\n');
  assert.deepEqual(unknown.map(complaint), [
    'docs/x.md:3: no test runs it, and it is not marked (docker, cluster, root, network, long)',
    "docs/x.md:7: what is 'moon'?",
  ]);
});

test('the tests that run blocks elsewhere exist, and their blocks too', () => {
  for (const { page, text, test: file, has } of ELSEWHERE) {
    assert(
      fences.some((fence) => fence.page === page && fence.text.includes(text)),
      text,
    );
    assert(existsSync(join(ROOT, file)), file);
    assert(readFileSync(join(ROOT, file), 'utf8').includes(has), `${file} has ${has}`);
  }
});

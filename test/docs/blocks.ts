/** The command blocks of README.md and docs/ that tests run, and those that other tests cover. */
import assert from 'node:assert/strict';
import { allFences } from './fences.ts';

export const fences = allFences();

/** Blocks covered by another test: a text of the block, that test, and a text in it. */
export const ELSEWHERE: readonly { page: string; text: string; test: string; has: string }[] = [
  {
    page: 'docs/listen.md',
    text: 'make listen ARGS="--from -15m --filter clientId=ann"',
    test: 'test/cli/listen/help.test.ts',
    has: 'commands in docs/listen.md have valid options',
  },
  {
    page: 'docs/doctor.md',
    text: 'make doctor ARGS=--json',
    test: 'test/cli/doctor/doctor.long.test.ts',
    has: "['doctor', 'ARGS=--json']",
  },
  {
    page: 'docs/doctor.md',
    text: 'KAFKA_BROKERS=kafka:9093 KAFKA_TLS=1 node dist/main.js doctor',
    test: 'test/cli/doctor/doctor.long.test.ts',
    has: 'the broker’s certificate is not trusted: KAFKA_TLS_CA_FILE',
  },
  {
    page: 'docs/dead-letters.md',
    text: 'replay --from rejected --stream clicks',
    test: 'test/cli/replay/arguments.test.ts',
    has: 'the commands of the page have valid options',
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
    page: 'docs/micro.md',
    text: 'make micro',
    test: 'test/micro/make.long.test.ts',
    has: 'make micro, and its log by curl and make listen',
  },
  {
    page: 'docs/micro.md',
    text: "'localhost:9001/micro/events?format=ndjson'",
    test: 'test/micro/make.long.test.ts',
    has: 'make micro, and its log by curl and make listen',
  },
  {
    page: 'docs/micro.md',
    text: 'examples/shop/shop.test.ts',
    test: 'test/examples/shop.long.test.ts',
    has: 'examples/shop/shop.test.ts',
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
  {
    page: 'docs/tail.md',
    text: 'FOREBAY_TAIL=open make run',
    test: 'test/primary/admin.test.ts',
    has: "tailAccess: 'open'",
  },
  {
    page: 'docs/tail.md',
    text: "/tail?outcome=rejected&stream=clicks'",
    test: 'test/primary/tail/page.long.test.ts',
    has: '/tail?',
  },
];

/** Texts of the blocks that tests run. */
export const claimed = new Set<string>();

/** The first block of a page that contains this text, which a test runs. */
function here(page: string, text: string): string {
  const found = fences.find((fence) => fence.page === page && fence.text.includes(text));
  assert(found, `a block of ${page} with ${text}`);
  claimed.add(found.text);
  return found.text;
}

/** Output shown on the page below the block that contains this text. */
export function answerBelow(page: string, text: string): string {
  const index = fences.findIndex((fence) => fence.page === page && fence.text.includes(text));
  return fences[index + 1]!.text;
}

export const BLOCKS = {
  run: here('README.md', 'make run'),
  listen: here('README.md', 'make listen'),
  curl: here('README.md', 'curl -i localhost:9000/events'),
  dryRun: here('docs/getting-started.md', '?dryRun=1'),
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
  schemaTest: here('docs/schema.md', 'schema test next.json'),
  schemaTry: here('docs/schema.md', 'make schema-try'),
  schemaChange: here('docs/schema.md', '"session"'),
  streamsRun: here('docs/streams.md', 'FOREBAY_STREAMS_FILE='),
  streamsPost: here('docs/streams.md', '@examples/streams/events.json'),
  streamsPath: here('docs/streams.md', '/events/orders'),
};

/** Blocks of docs/bad-release.md, in their order. */
export const BAD_RELEASE = {
  start: here('docs/bad-release.md', 'cat > streams.yaml'),
  good: here('docs/bad-release.md', '"price":9.5'),
  bad: here('docs/bad-release.md', '"price":"19.90"'),
  violations: here('docs/bad-release.md', 'localhost:9001/violations'),
  letters: here('docs/bad-release.md', 'STREAM=rejected'),
  attempt: here('docs/bad-release.md', 'schema try'),
  candidate: here('docs/bad-release.md', 'candidate: click-2.json/'),
  switch: here('docs/bad-release.md', 'file: click-2.json/'),
  again: here('docs/bad-release.md', '"price":"7.00"'),
  dryRun: here('docs/bad-release.md', '--dry-run'),
  replay: here('docs/bad-release.md', '--since -1h || test'),
  complete: here('docs/bad-release.md', 'STREAM=clicks'),
};

export const plain = (text: string) => text.replaceAll('\r', '').trim();

/** Answer to an event that was stored. */
export const STORED = /\{"accepted":1,"errors":\[\]\}/;

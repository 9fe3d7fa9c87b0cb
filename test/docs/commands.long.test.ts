/** Command blocks that take longer than those of commands.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missingPython, missingTool, pythonWith } from '../../testing/tools.ts';
import { until } from '../../testing/wait.ts';
import { answerBelow, BLOCKS, plain, STORED } from './blocks.ts';
import { serving, stand, useStand } from './use-stand.ts';

useStand();

test('getting started: from one topic to two streams', async () => {
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
  assert.match(await run(BLOCKS.msgpack), STORED);
  for (const [block, text] of [
    [BLOCKS.post, '"msg":"no time","clientId":"me"}]'],
    [BLOCKS.gzip, 'gzip |'],
  ] as const) {
    assert.equal(plain(await run(block)), plain(answerBelow('docs/protocol.md', text)));
  }
  const judged = plain(answerBelow('docs/getting-started.md', '?dryRun=1'));
  assert.equal(plain(await run(BLOCKS.dryRun)), judged);
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
  const found = plain(await run(BLOCKS.schema))
    .split('\n')
    .sort();
  const shown = answerBelow('docs/schema.md', 'cat > event-schema.json');
  assert.deepEqual(found, plain(shown).split('\n').sort());
  const gateway = await serving(BLOCKS.schemaRun);
  const answer = answerBelow('docs/schema.md', '"type":"scroll"');
  assert.equal(plain(await run(BLOCKS.schemaPost)), plain(answer));
  // Both find events that the next schema rejects, so their commands fail.
  const failing = (block: string) =>
    run(block).then(assert.fail, ({ message }: Error) => plain(message));
  const tested = await failing(BLOCKS.schemaTest);
  assert(tested.endsWith(plain(answerBelow('docs/schema.md', 'schema test next.json'))), tested);
  const tried = await failing(BLOCKS.schemaTry);
  for (const line of answerBelow('docs/schema.md', 'make schema-try').split('\n').slice(1)) {
    // Topic and partition differ, and tests before this one have stored events.
    const varying = /^ +(\d:0|(pass|fail) +\d+ +\d+\.\d%)/;
    const [text = ''] = line.replace(varying, '').split(/(?<=topic )/);
    assert(tried.includes(text), `${line} in\n${tried}`);
  }
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

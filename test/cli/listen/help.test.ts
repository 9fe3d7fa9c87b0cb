import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseListenArguments } from '../../../src/cli/listen/arguments.ts';
import { listenHelp } from '../../../src/cli/listen/help.ts';
import { LIMITS } from '../../../src/config/limits.ts';

const page = readFileSync('docs/listen.md', 'utf8');
const optionsIn = (text: string) =>
  [...new Set([...text.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g)].map(([option]) => option))].sort();

test('the help has every option, and no other', () => {
  const known = optionsIn(listenHelp());
  const fields = Object.keys(parseListenArguments([]));
  assert.equal(known.length, fields.length);
  for (const option of known) {
    const value = {
      '--count': '1',
      '--micro': 'http://127.0.0.1:9001',
      '--partition': '0',
      '--filter': 'a=b',
      '--header': 'fb-resent',
      '--without-header': 'fb-resent',
      '--from': 'end',
      '--stream': 'orders',
      '--topic': 'shop.orders',
    }[option];
    const argv = option === '--sequence-field' ? ['--verify', option, 'seq'] : [option];
    parseListenArguments(value === undefined ? argv : [option, value]);
  }
});

test('docs/listen.md has the same options and limits', () => {
  assert.deepEqual(optionsIn(page), optionsIn(listenHelp()));
  assert.equal(LIMITS.listenIds, 2_000_000, 'ids');
  assert.match(page, /^\| ids, .*\| 2 million;/m);
  const rows = { clients: LIMITS.listenClients, 'missing ranges': LIMITS.listenRanges };
  for (const [name, bound] of Object.entries({
    ...rows,
    'lines about what was found': LIMITS.listenFindings,
  })) {
    assert.ok(page.includes(`| ${name} | ${bound.toLocaleString('en')} `), name);
  }
});

test('commands in docs/listen.md have valid options', () => {
  const commands = [...page.matchAll(/make listen (?:\w+=\S+ )*?ARGS=("[^"]*"|\S+)/g)].map(
    ([, args]) => args!,
  );
  assert.ok(commands.length > 8, `${commands.length} commands`);
  for (const quoted of commands) {
    const words = quoted.replaceAll('"', '').match(/'[^']*'|[^\s']+/g) ?? [];
    parseListenArguments(words.map((word) => word.replaceAll("'", '')));
  }
});

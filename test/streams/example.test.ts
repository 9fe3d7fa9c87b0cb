/** examples/streams, and the blocks of docs/streams.md. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import ajvFormats from 'ajv-formats';
import { parseStreamFile } from '../../src/streams/parse.ts';
import { Child } from '../../testing/child.ts';
import { fencesOf } from '../docs/fences.ts';
import { CONTEXT } from './support.ts';

const FOLDER = 'examples/streams';
const FILE = `${FOLDER}/streams.yaml`;
const PAGE = 'docs/streams.md';
const fences = fencesOf(PAGE, readFileSync(PAGE, 'utf8'));
const children: Child[] = [];
after(async () => {
  for (const child of children) await child.kill();
});

/** Runs `streams check` as a block of the page does. */
async function check(file: string) {
  const child = new Child('dist/main.js', ['streams', 'check', file], {});
  children.push(child);
  const { code } = await child.ended;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

/** Returns the block below the one that contains `text`. */
function below(text: string): string {
  const index = fences.findIndex((fence) => fence.text.includes(text));
  return fences[index + 1]!.text;
}

test('streams check prints the streams of the example as on the page', async () => {
  const block = `node dist/main.js streams check ${FILE}`;
  assert(fences.some(({ language, text }) => language === 'sh' && text === `${block}\n`));
  assert.deepEqual(await check(FILE), { code: 0, stdout: below(block), stderr: '' });
});

test('the page shows the file of the example', () => {
  const shown = fences.find(({ language }) => language === 'yaml');
  const [modeline, ...lines] = readFileSync(FILE, 'utf8').split('\n');
  assert.match(modeline!, /^# yaml-language-server: \$schema=/);
  assert.equal(shown?.text, lines.join('\n'));
});

test('each sample event belongs to a stream, matches its schema and has its key', () => {
  const { file } = parseStreamFile(readFileSync(FILE), FILE, CONTEXT);
  const events = JSON.parse(readFileSync(`${FOLDER}/events.json`, 'utf8')) as Fields[];
  assert(file !== undefined);
  const streams = events.map((event) => {
    const stream = file.streams.find(({ match }) => match.includes(String(event.type)));
    assert(stream?.schema !== undefined, `${event.type} belongs to a stream with a schema`);
    const ajv = new Ajv2020();
    ajvFormats.default(ajv);
    const validate = ajv.compile(JSON.parse(readFileSync(stream.schema.file, 'utf8')));
    assert(validate(event), `${event.type}: ${ajv.errorsText(validate.errors)}`);
    for (const path of stream.key) {
      const value = path.reduce<unknown>((inner, name) => (inner as Fields)[name], event);
      assert(['string', 'number'].includes(typeof value), `${event.type} has ${path.join('.')}`);
    }
    return stream.name;
  });
  const names = file.streams.map(({ name }) => name);
  assert.deepEqual(streams, names, 'a sample event of each stream');
});

type Fields = Readonly<Record<string, unknown>>;

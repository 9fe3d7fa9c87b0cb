/** docs/operations.md against the source: it lists what operators encounter, and nothing else. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventCodes, requestCodes } from '../../src/common/errors.ts';
import { PRODUCE_ERROR_CLASSES } from '../../src/metrics/labels.ts';
import { DASHBOARDS, panelsOf } from '../support/dashboards.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(`${root}docs/operations.md`, 'utf8');
const LEVELS = ['info', 'warn', 'error', 'fatal'];

/** A log line, in the source or on the page. */
interface Line {
  readonly message: string;
  readonly levels: readonly string[];
  readonly sampled: boolean;
}

/** Files that forward log lines of others, which are checked at their origin. */
const PASS_ON = ['src/primary/deferred-log.ts', 'src/primary/fault-log.ts'];
/** Messages composed elsewhere, as shown on the page. */
const MADE_ELSEWHERE = new Map([['warning', ['… is not a setting', 'transport: node: …']]]);

/** Arguments in source text, after an opening parenthesis. */
function argumentsAt(text: string, start: number): string[] {
  const found: string[] = [];
  let [depth, from, quote] = [0, start, ''];
  for (let at = start; at < text.length; at++) {
    const char = text[at]!;
    if (quote !== '') {
      if (char === '\\') at++;
      else if (char === quote) quote = '';
    } else if (/['"`]/.test(char)) quote = char;
    else if (/[([{]/.test(char)) depth++;
    else if (/[)\]}]/.test(char) && depth-- === 0) return [...found, text.slice(from, at).trim()];
    else if (char === ',' && depth === 0) {
      found.push(text.slice(from, at).trim());
      from = at + 1;
    }
  }
  throw new Error('a parenthesis is open');
}

const literalsOf = (code: string) => [...code.matchAll(/'([^']*)'/g)].map(([, text]) => text!);

/** Texts that an expression may have: its own, or those of the constant that it names. */
function textsOf(expression: string, before: string): string[] {
  if (!/^\w+$/.test(expression)) return literalsOf(expression);
  const made = before.lastIndexOf(`const ${expression} =`);
  return made < 0 ? [] : literalsOf(before.slice(made, before.indexOf(';', made)));
}

const METHOD = String.raw`\.(?<method>info|warn|error|fatal|last|write)(?<once>Once)?`;
const CALL = new RegExp(String.raw`\b(?:log|logger|faults)(?:${METHOD}|\[level\])\(`, 'g');

function linesOf(path: string): Line[] {
  const text = readFileSync(root + path, 'utf8');
  return [...text.matchAll(CALL)].flatMap((call) => {
    const before = text.slice(0, call.index);
    const args = argumentsAt(text, call.index + call[0].length).filter((arg) => arg !== '');
    const method = call.groups?.method ?? '';
    const level = call[0].includes('[level]') ? 'level' : args[0]!;
    const chosen = textsOf(level, before).filter((is) => LEVELS.includes(is));
    const levels = LEVELS.includes(method) ? [method] : method === 'last' ? ['fatal'] : chosen;
    const message = args.at(-1)!;
    const elsewhere = MADE_ELSEWHERE.get(message);
    const messages = elsewhere ?? textsOf(message, before);
    assert(messages.length > 0, `${path}: what is logged by ${call[0]}${args.join(', ')})?`);
    const isRepeated = /^faults\b/.test(call[0]) && call.groups?.once === undefined;
    const sampled = isRepeated || /\bheld\b/.test(args[0] ?? '');
    return messages.map((text) => ({ message: text, levels, sampled }));
  });
}

/** Each message once, with all of its levels, sorted. */
function merged(lines: readonly Line[]): Line[] {
  const byMessage = new Map<string, Line>();
  for (const line of lines) {
    const { message, levels = [], sampled = false } = byMessage.get(line.message) ?? line;
    const all = LEVELS.filter((level) => levels.includes(level) || line.levels.includes(level));
    byMessage.set(message, { message, levels: all, sampled: sampled || line.sampled });
  }
  return [...byMessage.values()].sort((a, b) => (a.message < b.message ? -1 : 1));
}

function sources(): string[] {
  const all = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' });
  return all
    .filter((name) => /^(micro|primary|worker)\/.*\.ts$/.test(name))
    .map((name) => `src/${name}`)
    .filter((path) => !PASS_ON.includes(path));
}

/** Rows of the table under a heading, each as its cells. */
function rowsUnder(heading: string): string[][] {
  const [, section = ''] = page.split(`\n## ${heading}\n`);
  const [text = ''] = section.split('\n## ');
  const rows = text.split('\n').filter((line) => line.startsWith('| '));
  return rows.slice(1).map((row) => row.slice(2, -2).split(' | '));
}

const named = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);

test('every log line is listed with its levels, and no other', () => {
  const inSource = merged(sources().flatMap(linesOf));
  assert(inSource.length > 30, `${inSource.length} lines were found`);
  const documented = rowsUnder('Log').map(([levels = '', line = '', text = '']) => ({
    message: named(line)[0] ?? '',
    levels: levels.split(', '),
    sampled: text.endsWith('sampled'),
  }));
  assert.deepEqual(merged(documented), inSource);
});

test('every rejection code is listed, in the order of the catalog, with its remedy', () => {
  const rows = rowsUnder('Rejections');
  assert.deepEqual(
    rows.map(([code = '']) => named(code)[0]),
    [...eventCodes, ...requestCodes],
  );
  for (const row of rows) assert(row.length === 3 && row.every((cell) => cell !== ''), row[0]);
});

test('every class of failed attempts is listed', () => {
  const classes = rowsUnder('Attempts that fail').flatMap(([cell = '']) => named(cell));
  assert.deepEqual(classes.sort(), [...PRODUCE_ERROR_CLASSES].sort());
});

test('the dashboards, panels, headings and log lines that the runbook refers to exist', () => {
  const [, rest = ''] = page.split('\n## Alerts\n');
  const [runbook = ''] = rest.split('\n## ');
  const liveView = readFileSync(`${root}src/primary/live-view/static/index.html`, 'utf8');
  const shown = [...liveView.matchAll(/<h2[^>]*>([^<]+)</g)].map(([, heading]) => heading!);
  for (const dashboard of DASHBOARDS.values()) {
    shown.push(dashboard.title, ...panelsOf(dashboard).map(({ title }) => title));
  }
  const pointed = [...runbook.matchAll(/(?<!\*)\*([A-Z][^*]+)\*/g)].map(([, title]) => title!);
  assert(pointed.length > 4, `${pointed}`);
  for (const title of pointed) assert(shown.includes(title), `${title} is none of ${shown}`);
  const logged = rowsUnder('Log').flatMap(([, line = '']) => named(line));
  const lines = runbook.match(/\blines?\s+`[^`]+`(\s+and\s+`[^`]+`)?/g)!.flatMap(named);
  assert(lines.length > 4, `${lines}`);
  for (const line of lines) assert(logged.includes(line), `the log has no line ${line}`);
});

test('its links to its own sections have targets', () => {
  const anchors = [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
  for (const [, anchor] of page.matchAll(/\]\(#([^)]+)\)/g)) {
    assert(anchors.includes(anchor!), `#${anchor} is none of ${anchors}`);
  }
});

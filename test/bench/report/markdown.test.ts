import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageWithSection, resultsMarkdown } from '../../../bench/report/markdown.ts';
import { facts, ratio, runOf } from './run-of.ts';

/** Lines of the page from the one with this prefix to the next empty one. */
function block(page: string, begin: string): string[] {
  const lines = page.split('\n');
  const from = lines.findIndex((line) => line.startsWith(begin));
  assert(from >= 0, `no ${begin} in\n${page}`);
  return lines.slice(from, lines.indexOf('', from));
}

test('the first line names the command, the head lists machine and versions', () => {
  const page = resultsMarkdown(runOf(), facts);
  assert.match(page, /^<!-- Written by `make bench`/);
  assert.deepEqual(block(page, '| machine'), [
    '| machine | Some CPU, 2 cores, 16 GiB, Linux 6.1.0 |',
    '| versions | Node.js 20.19.0, uWebSockets.js 20.51.4, ws 8.18.0, kafkajs 2.2.4, Kafka 4.1.1 |',
    '| commit | abc1234 |',
    '| date | 2026-01-31 12:00 UTC |',
    '| goals | 0 of 0 met |',
  ]);
  const changed = resultsMarkdown(runOf(), { ...facts, clean: false });
  assert.match(changed, /\| commit \| abc1234 with changes \|/);
});

test('each figure has a median, a spread, and its goal met or missed', () => {
  const page = resultsMarkdown(
    runOf(
      { name: 'gateway 20,000/s', unit: 'us/event', values: [14, 12, 12.5] },
      ratio('dear', [1.7, 1.5, 1.9], { most: 1.6 }),
      ratio('at its goal', [1.6, 1.6, 1.6], { most: 1.6 }),
      ratio('cheap', [3.5, 3.2, 2.9], { least: 3 }),
      ratio('not cheap', [2.9], { least: 3 }),
      ratio('without values', [], { least: 3 }),
      ratio('half measured', [4, Number.NaN], { least: 3 }),
      { name: 'lost', unit: 'events', values: [0, 0, 7] },
    ),
    facts,
  );
  assert.deepEqual(block(page, '| figure'), [
    '| figure | median | spread | goal | |',
    '|---|---:|---:|---:|---|',
    '| gateway 20,000/s | 12.5 us/event | 12 – 14 (16%) |  |  |',
    '| dear | 1.7 x | 1.5 – 1.9 (24%) | ≤ 1.6 | missed |',
    '| at its goal | 1.6 x | 1.6 – 1.6 (0%) | ≤ 1.6 | met |',
    '| cheap | 3.2 x | 2.9 – 3.5 (19%) | ≥ 3 | met |',
    '| not cheap | 2.9 x |  | ≥ 3 | missed |',
    '| without values | – |  | ≥ 3 | missed |',
    '| half measured | 4 x |  | ≥ 3 | missed |',
    '| lost | 0 events | 0 – 7 |  |  |',
  ]);
  const missed = ['dear', 'not cheap', 'without values', 'half measured'];
  const named = missed.map((name) => `single: ${name}`).join(', ');
  assert.deepEqual(block(page, '| goals'), [`| goals | 2 of 6 met; missed: ${named} |`]);
});

test('a section has the setup, the violations and the plots', () => {
  const plot = { file: 'cpu', title: 'CPU [us]', xLabel: 'x', yLabel: 'y', curves: [] };
  const problems = ['lost 3\nevents', 'a | b'];
  const result = { setup: 'All at once.', figures: [], plots: [plot], problems };
  const page = resultsMarkdown(new Map([['sizes', result]]), facts);
  const section = page.slice(page.indexOf('## sizes'));
  assert.equal(
    section,
    '## sizes\n\nAll at once.\n\n**Violations, the figures are invalid:**\n\n' +
      '* lost 3 events\n* a \\| b\n\n![CPU \\[us\\]](results/cpu.svg)\n',
  );
});

const result = { setup: 'All at once.', figures: [ratio('dear', [2], { most: 1 })], problems: [] };
const BY_NAME = '\n## Scenarios run by name\n';

test('a scenario that runs by name gets a section with facts of its own', () => {
  const suite = resultsMarkdown(runOf(ratio('cheap', [1], { most: 2 })), facts);
  const page = pageWithSection(suite, 'msgpack', result, { ...facts, commit: 'def5678' });
  assert.equal(page.slice(0, suite.length), suite);
  assert.equal(
    page.slice(suite.length),
    `${BY_NAME}\n### msgpack\n\n| | |\n|---|---|\n` +
      `${block(suite, '| machine').slice(0, 2).join('\n')}\n` +
      '| commit | def5678 |\n| date | 2026-01-31 12:00 UTC |\n\nAll at once.\n\n' +
      '| figure | median | spread | goal | |\n|---|---:|---:|---:|---|\n' +
      '| dear | 2 x |  | ≤ 1 | missed |\n',
  );
});

test('such sections are in the order of names, and only the one that ran changes', () => {
  const suite = resultsMarkdown(runOf(), facts);
  const add = (page: string, name: string, setup: string) =>
    pageWithSection(page, name, { ...result, setup }, facts);
  const named = ['requests', 'msgpack', 'request'];
  const page = named.reduce((before, name) => add(before, name, `First ${name}.`), suite);
  const titles = [...page.matchAll(/^### (.*)$/gm)].map(([, title]) => title);
  assert.deepEqual(titles, ['msgpack', 'request', 'requests']);
  for (const name of named) {
    const changed = add(page, name, 'Second.');
    assert.equal(changed, page.replace(`First ${name}.`, 'Second.'));
  }
});

test('a run of the suite keeps such sections', () => {
  const before = pageWithSection(resultsMarkdown(runOf(), facts), 'msgpack', result, facts);
  const suite = runOf(ratio('cheap', [1]));
  const page = resultsMarkdown(suite, facts, before);
  assert.equal(page, resultsMarkdown(suite, facts) + before.slice(before.indexOf(BY_NAME)));
});

test('without a page the section gets one', () => {
  const page = pageWithSection('', 'msgpack', result, facts);
  assert.match(
    page,
    /^<!-- Written by .*\n# Results\n.*\n\n## Scenarios run by name\n\n### msgpack\n/s,
  );
});

/** bench/CHAOS.md: the latest outcome of every scenario. */
import { writeFileSync } from 'node:fs';
import { ROOT } from '../../deploy/kafka/jars.ts';
import { commitOf, type RunFacts } from '../report/facts.ts';
import { cell, goalText, machineRows } from '../report/markdown.ts';
import { shortNumber } from '../report/number.ts';
import { statsOf } from '../report/stats.ts';
import type { Figure } from '../result.ts';
import { accountLine, missedGoals } from './format.ts';
import type { Measurements, Outcome, Step } from './outcome.ts';
import type { Scenario } from './scenario.ts';
import type { Setup } from './setup.ts';
import { KAFKA_SETTINGS } from './stage.ts';

type OutcomesByName = ReadonlyMap<string, Outcome>;
type Named = Pick<Scenario, 'name' | 'summary'>;

/** @param scenarios all scenarios, in the order of the report */
export function writeChaosReport(
  scenarios: readonly Named[],
  outcomes: OutcomesByName,
  file: string,
): void {
  // Violations may contain absolute paths of this machine.
  writeFileSync(file, chaosMarkdown(scenarios, outcomes).replaceAll(`${ROOT}/`, ''));
}

export function chaosMarkdown(scenarios: readonly Named[], outcomes: OutcomesByName): string {
  const ran = scenarios.flatMap(({ name }) => outcomes.get(name) ?? []);
  const newest = [...ran].sort((a, b) => (a.facts.date < b.facts.date ? 1 : -1))[0]?.facts;
  const missing = scenarios.filter(({ name }) => !outcomes.has(name)).map(({ name }) => name);
  const lines = [
    ...headOf(ran, newest),
    ...tableOf(ran),
    ...(missing.length > 0 ? ['', `Not run: ${missing.join(', ')}.`] : []),
    ...ran.flatMap((outcome) => sectionOf(outcome, newest)),
  ];
  return `${lines.join('\n')}\n`;
}

function headOf(ran: readonly Outcome[], newest: RunFacts | undefined): string[] {
  const settings = Object.entries(KAFKA_SETTINGS).map(([name, value]) => `\`${name}=${value}\``);
  const passed = ran.filter(({ problems }) => problems.length === 0).length;
  return [
    '<!-- Written by `make chaos`; the next run replaces it. -->',
    '# Chaos',
    '',
    'Three brokers, one or two gateways, and clients that send during the faults: 70% of the events',
    'from ten acknowledged clients (5 per frame), 20% from four plain clients (1 per frame), 10% over',
    'HTTP (10 per body). At the end, the topic is read and compared with all events sent. Guarantees',
    'and goals: [docs/guarantees.md](../docs/guarantees.md). To repeat a scenario:',
    '`make chaos SCENARIO=name`.',
    '',
    '| | |',
    '|---|---|',
    ...(newest === undefined ? [] : machineRows(newest)),
    `| Kafka | 3 nodes, ${settings.join(', ')}, 6 partitions |`,
    `| passed | ${passed} of ${ran.length} |`,
  ];
}

function tableOf(ran: readonly Outcome[]): string[] {
  const head = ['scenario', 'sent', 'acknowledged', 'rejected', 'stored', 'missing', 'duplicated'];
  const rows = ran.map(({ name, account, problems }) => {
    const figures =
      account === undefined
        ? ['–', '–', '–', '–', '–', '–', '–']
        : [
            ...[account.sent, account.acknowledged, account.refused, account.stored],
            ...[account.missing, account.doubled, account.phantom],
          ].map((count) => count.toLocaleString('en'));
    const passed = problems.length === 0 ? 'passed' : '**failed**';
    return `| [${name}](#${name}) | ${[...figures, passed].join(' | ')} |`;
  });
  const columns = [...head, 'phantom', ''];
  const rule = `|---|${'---:|'.repeat(head.length)}---|`;
  return ['', `| ${columns.join(' | ')} |`, rule, ...rows];
}

function sectionOf(outcome: Outcome, newest: RunFacts | undefined): string[] {
  const { name, summary, facts, seconds, eventsPerSecond, setup, account, schedule } = outcome;
  const other =
    facts.cpu === newest?.cpu && facts.cores === newest.cores ? '' : ' on another machine';
  const lines = [
    ...['', `## ${name}`, '', `${capital(cell(summary))}.`, ''],
    `${cell(settingsOf(setup))}${eventsPerSecond.toLocaleString('en')} events/s for ${seconds} s.` +
      ` Commit ${cell(commitOf(facts))}, ${facts.date} UTC${other}.`,
  ];
  if (account !== undefined) lines.push('', `Ledger: ${accountLine(account)}.`);
  if (outcome.figures.length > 0) {
    lines.push('', '| figure | n | median | min | max | goal | |', RULE);
    lines.push(...outcome.figures.map(rowOf));
  }
  if (outcome.measurements !== undefined) lines.push('', ...rowsOf(outcome.measurements));
  if (schedule.length > 0) lines.push('', `Schedule: ${scheduleOf(schedule)}.`);
  const { problems } = outcome;
  if (problems.length > 0) {
    lines.push('', '**Violations:**', '', ...problems.map((problem) => `* ${cell(problem)}`));
  }
  return lines;
}

function rowsOf({ legend, head, rows }: Measurements): string[] {
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'));
  return [legend, '', ...[head, rule, ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`)];
}

const RULE = '|---|---:|---:|---:|---:|---:|---|';

/** Describes the deviations from the default setup, without settings of other programs. */
function settingsOf({ workers, instances, balanced, proxied, names, ...rest }: Setup): string {
  const {
    secure,
    keys,
    pinned,
    acls,
    streams,
    headers,
    env = {},
    kafka = {},
    nodeArgs = [],
    wrapper = [],
  } = rest;
  const shown = Object.entries({ ...env, ...kafka }).filter(([name]) => /^FOREBAY|\./.test(name));
  const parts = [
    instances === 2 ? 'two gateways behind HAProxy' : '',
    balanced === true ? 'behind HAProxy' : '',
    workers === undefined ? '' : `${workers} workers`,
    pinned === true ? 'the worker on a dedicated core' : '',
    secure === true ? 'TLS' : '',
    keys === true ? 'API keys' : '',
    acls === true ? 'Kafka with ACLs' : '',
    streams === undefined ? '' : `${streams.length} streams`,
    headers === true ? 'records with headers' : '',
    proxied === true || names !== undefined ? 'fault proxies in front of the brokers' : '',
    ...shown.map(([name, value]) => code(`${name}=${value}`)),
    ...[...nodeArgs, wrapper[0] === 'sh' ? '' : wrapper.join(' ')].map(code),
  ].filter((part) => part !== '');
  return parts.length === 0 ? '' : `${capital(parts.join(', '))}. `;
}

function code(text: string): string {
  return text === '' ? '' : `\`${text}\``;
}

function rowOf(figure: Figure): string {
  const { name, unit, values, goal } = figure;
  const { median, least, greatest } = statsOf(values);
  const stats = [median, least, greatest].map((value) => `${shortNumber(value)} ${unit}`.trim());
  // One value beyond the goal misses it, whatever the median is.
  const verdict = missedGoals({ figures: [figure] }).length === 0 ? 'met' : '**missed**';
  const goalCells = goal === undefined ? ['', ''] : [goalText(goal), verdict];
  return `| ${[cell(name), String(values.length), ...stats, ...goalCells].join(' | ')} |`;
}

/** `1.5 s broker 1 killed; 4 s, 8 s SIGHUP` */
function scheduleOf(schedule: readonly Step[]): string {
  const groups: { times: string[]; what: string }[] = [];
  for (const { seconds, what } of schedule) {
    const last = groups.at(-1);
    if (last?.what === what) last.times.push(`${seconds} s`);
    else groups.push({ times: [`${seconds} s`], what });
  }
  return groups.map(({ times, what }) => `${times.join(', ')} ${cell(what)}`).join('; ');
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

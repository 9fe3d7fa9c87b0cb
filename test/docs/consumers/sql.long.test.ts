/** The SQL of docs/consumers.md counts each event once. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Copy, createHistory, miscounted } from './history.ts';
import { missingPostgres, Postgres } from './postgres.ts';
import { readPage, recipe } from './recipes.ts';

const skip = missingPostgres();
const SETUP = recipe('sql', 'CREATE TABLE positions');
const POLL = recipe('sql', 'MERGE INTO events');
const ON_READ = recipe('sql', 'FROM copies WHERE NOT resent OR id IS NULL');
const [, LIMIT = ''] = /`(AND e\.received > [^`]+)`/.exec(readPage()) ?? [];
/** The tables stay; each connection has its own temporary table. */
const TEMPORARY = SETUP.slice(SETUP.indexOf('CREATE TEMP TABLE'));
const CLEAR = 'DROP TABLE IF EXISTS events, positions, copies CASCADE;\n';
const DUMP = "SELECT value->>'event' FROM";

const postgres = skip ? undefined : new Postgres();
before(() => postgres?.start());
after(() => postgres?.stop());

/** Statement that copies records into a table with these columns. */
function load(table: string, columns: string, rows: readonly string[]): string {
  return `COPY ${table} (${columns}) FROM STDIN (FORMAT csv);\n${rows.join('\n')}\n\\.\n`;
}

function row({ id = '', received, resent, event }: Copy): string {
  return `${id},${new Date(received).toISOString()},${resent},"{""event"":${event}}"`;
}

/** Script of a consumer that reads these polls. */
function consume(polls: readonly (readonly Copy[])[], end: string): string {
  const scripts = polls.map((poll) => {
    const rows = poll.map((copy) => `${copy.partition},${copy.offset},${row(copy)}`);
    return load('poll', 'part, pos, id, received, resent, value', rows) + end;
  });
  return TEMPORARY + scripts.join('');
}

const numbers = (lines: readonly string[]) => lines.map(Number);

for (const seed of [1, 2, 3]) {
  test(`on write: a consumer that restarts, seed ${seed}`, { skip }, async () => {
    const options = { seed, partitions: 4, keyed: false, restarts: 10 };
    const { events, polls } = createHistory(options);
    await postgres!.run(CLEAR + SETUP);
    const counted = await postgres!.run(`${consume(polls, POLL)}${DUMP} events;`);
    assert.deepEqual(miscounted(events, numbers(counted)), []);
  });

  test(`on write: two instances at once, seed ${seed}`, { skip }, async () => {
    const options = { seed, partitions: 4, keyed: false, restarts: 5 };
    const { events, polls } = createHistory(options);
    await postgres!.run(CLEAR + SETUP);
    const shares = [0, 1].map((rest) => polls.filter(([first]) => first!.partition % 2 === rest));
    await Promise.all(shares.map((share) => postgres!.run(consume(share, POLL))));
    const counted = await postgres!.run(`${DUMP} events;`);
    assert.deepEqual(miscounted(events, numbers(counted)), []);
  });

  test(`on read: every record is appended once, seed ${seed}`, { skip }, async () => {
    const options = { seed, partitions: 4, keyed: false, restarts: 0 };
    const { events, polls } = createHistory(options);
    const rows = load('copies', 'id, received, resent, value', polls.flat().map(row));
    const counted = await postgres!.run(`${CLEAR}${ON_READ}${rows}${DUMP} unique_events;`);
    assert.deepEqual(miscounted(events, numbers(counted)), []);
  });
}

test('on write: the search is limited to recent partitions', { skip }, async () => {
  const { events, polls } = createHistory({ seed: 5, partitions: 4, keyed: false, restarts: 0 });
  const limited = POLL.replace('AND e.resent\n', `AND e.resent ${LIMIT}\n`);
  assert.notEqual(limited, POLL);
  await postgres!.run(CLEAR + SETUP);
  const counted = await postgres!.run(`${consume(polls, limited)}${DUMP} events;`);
  assert.deepEqual(miscounted(events, numbers(counted)), []);
});

test('on write: a poll that fails is processed again as a whole', { skip }, async () => {
  const options = { seed: 4, partitions: 3, keyed: true, restarts: 0 };
  const { events, polls } = createHistory(options);
  await postgres!.run(CLEAR + SETUP);
  const failing = `${POLL.replace('COMMIT;', 'ROLLBACK;')}TRUNCATE poll;\n`;
  const script = polls.flatMap((poll) => [consume([poll], failing), consume([poll], POLL)]);
  const once = script.map((text, at) => (at === 0 ? text : text.replace(TEMPORARY, '')));
  const counted = await postgres!.run(`${once.join('')}${DUMP} events;`);
  assert.deepEqual(miscounted(events, numbers(counted)), []);
});

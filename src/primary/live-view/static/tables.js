/**
 * Tables of current values: rows keep their position, so that they are readable while they change.
 */
import { element } from './nodes.js';
import { amount, bytes, milliseconds, percent, seconds, setText } from './texts.js';

/** Writes rows into a table's body; the first text of a row is its header. */
export function writeRows(body, rows, none) {
  const wanted = rows.length > 0 ? rows : [{ texts: [none] }];
  while (body.rows.length > wanted.length) body.deleteRow(-1);
  for (const [index, { texts, kind = '' }] of wanted.entries()) {
    const row = body.rows[index] ?? body.insertRow();
    row.dataset.kind = kind;
    while (row.cells.length > texts.length) row.deleteCell(-1);
    while (row.cells.length < texts.length) {
      row.append(row.cells.length === 0 ? element('th', { scope: 'row' }) : element('td'));
    }
    for (const [cell, text] of texts.entries()) setText(row.cells[cell], text);
  }
}

/** Writes names and values into a `dl`. */
export function writeList(list, entries) {
  for (const [index, [name, text, kind = '']] of entries.entries()) {
    const place =
      list.children[index] ?? list.appendChild(element('div', {}, element('dt'), element('dd')));
    setText(place.firstChild, name);
    setText(place.lastChild, text);
    place.dataset.kind = kind;
  }
}

export function cards(past, { unaccounted, storedLate, stored }) {
  const bad = (count, kind) => (count === 0 ? '' : kind);
  const ofTenMinutes = ['refused', 'dropped', 'lost', 'restarts'].map((of) => {
    const count = past.kinds(of).reduce((sum, kind) => sum + past.sum(`${of}.${kind}`), 0);
    const name = of === 'restarts' ? 'workers died' : of;
    return [`${name} in 10 min`, amount(count), bad(count, 'wait')];
  });
  return [
    ['stored per second', amount(past.value('stored'))],
    ['acknowledged, p99', milliseconds(past.value('ackP99'))],
    ...ofTenMinutes,
    ['unaccounted', amount(unaccounted), bad(unaccounted, 'bad')],
    ['in flight', amount(past.value('inFlight') ?? 0)],
    ['oldest event', seconds(past.value('oldestSeconds') ?? 0)],
    ['connections', amount(past.value('connections') ?? 0)],
    ['bytes per second', bytes(past.value('bytes') ?? 0)],
    ['memory of workers', bytes(past.value('residentBytes') ?? 0)],
    ['stored since start', amount(stored)],
    ['stored after timeout', amount(storedLate)],
  ];
}

/** Events that were not stored, by reason; omits reasons without events. */
export function reasonRows(past, { counts }, meanings) {
  return ['refused', 'dropped', 'lost'].flatMap((of) =>
    counted(past, of, counts).map(({ kind, recently, all }) => {
      const meaning = of === 'lost' ? 'in flight in a worker that died' : meanings[kind];
      return { texts: [of, recently, all, `${kind}: ${meaning}`] };
    }),
  );
}

export function errorRows(past, { counts }) {
  return counted(past, 'errors', counts).map(({ kind, recently, all }) => ({
    texts: [kind.replaceAll('_', ' '), recently, all],
  }));
}

function counted(past, of, counts) {
  return past.kinds(of).flatMap((kind) => {
    const name = `${of}.${kind}`;
    if (counts[name] === 0) return [];
    return [{ kind, recently: amount(past.sum(name)), all: amount(counts[name]) }];
  });
}

/** A row per stream, and one for events that were rejected before they had a stream. */
export function streamRows({ streams }) {
  return streams.map((row) => ({
    kind: row.unaccounted === 0 && row.dropped === 0 ? '' : 'bad',
    texts: [
      row.stream,
      row.topic,
      row.owner,
      amount(row.received),
      amount(row.stored),
      amount(row.refused),
      amount(row.dropped),
      milliseconds(row.ackP99),
      amount(row.inFlight),
      bytes(row.bufferBytes),
    ],
  }));
}

/** Share of a rate limit from which a sender is near it. */
const NEAR = 0.8;

/** A row per API key. */
export function senderRows({ senders }) {
  return senders.map((row) => ({
    kind: row.limitShare !== null && row.limitShare >= NEAR ? 'bad' : '',
    texts: [
      row.name,
      row.limitShare === null ? 'no limit' : percent(100 * row.limitShare),
      amount(row.stored),
      amount(row.refused),
      amount(row.dropped),
      bytes(row.bytesPerSecond),
      amount(row.storedTotal),
      amount(row.refusedTotal),
    ],
  }));
}

/** A row per API key and stream. */
export function keyStreamRows({ keyStreams }) {
  return keyStreams.map(({ key, stream, stored, rejected, codes }) => ({
    kind: '',
    texts: [
      key,
      stream,
      amount(stored),
      amount(rejected),
      codes.map(({ code, events }) => `${code} ${amount(events)}`).join(', '),
    ],
  }));
}

export function workerRows({ workers }) {
  return workers.map((worker, index) => ({
    kind: worker.states.includes('ready') ? '' : 'bad',
    texts: [
      String(index + 1),
      worker.states.join(', ') || 'dead',
      percent(100 * worker.cpu),
      bytes(worker.residentBytes),
      amount(worker.connections),
      amount(worker.inFlight),
      seconds(worker.oldestSeconds),
      `${bytes(worker.bufferBytes)} of ${bytes(worker.bufferLimitBytes)}`,
      milliseconds(1000 * worker.lagSeconds),
      `${seconds(worker.ageSeconds)} ago`,
    ],
  }));
}

/** Labels of lane states, and the states that need attention. */
const LANES = {
  empty: ['nothing to send', ''],
  filling: ['collecting events', ''],
  in_flight: ['waiting for Kafka’s response', ''],
  retrying: ['retrying after a failure', 'wait'],
  unknown: ['checking whether Kafka stored it', 'wait'],
};

export function laneEntries({ lanes }) {
  return Object.entries(lanes).map(([state, count]) => {
    const [words, trouble] = LANES[state] ?? [state, ''];
    return [words, amount(count), count > 0 ? trouble : ''];
  });
}

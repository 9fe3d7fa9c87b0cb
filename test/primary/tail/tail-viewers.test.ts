import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { TailViewers } from '../../../src/primary/tail/tail-viewers.ts';
import type { TailViewer } from '../../../src/tail/entry.ts';
import { TAIL_LIMITS } from '../../../src/tail/limits.ts';
import type { Redaction } from '../../../src/tail/redaction.ts';

class FakeResponse extends EventEmitter {
  status = 0;
  text = '';
  writableLength = 0;
  state: 'open' | 'ended' | 'destroyed' = 'open';

  writeHead(status: number): this {
    this.status = status;
    return this;
  }
  write(text: string): boolean {
    this.text += text;
    return true;
  }
  end(text: string): void {
    this.text += text;
    this.state = 'ended';
  }
  destroy(): void {
    this.state = 'destroyed';
    this.emit('close');
  }
  /** Events of the stream so far: names and data. */
  get events(): [name: string, data: Record<string, unknown>][] {
    return this.text.split('\n\n').flatMap((frame) => {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(frame) ?? [];
      return name === undefined ? [] : [[name, JSON.parse(data!)]];
    });
  }
  named(name: string): Record<string, unknown>[] {
    return this.events.filter(([of]) => of === name).map(([, data]) => data);
  }
}

function setUp(redaction: Redaction = 'all') {
  let nowMs = 1_000;
  const changes: (readonly TailViewer[])[] = [];
  const logged: [object, string][] = [];
  const viewers = new TailViewers({
    streams: () => ['clicks'],
    redaction,
    outage: () => 'No event can be stored',
    waiting: () => 7,
    changed: (all) => changes.push(all),
    log: { write: (_level, fields, message) => logged.push([fields, message]) },
    now: () => nowMs,
  });
  const open = (filter = {}) => {
    const response = new FakeResponse();
    return { response, isOpen: viewers.watch(response as never, filter, '127.0.0.1') };
  };
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { viewers, changes, logged, open, pass };
}

const entry = (n: number, viewers: readonly number[]) => ({ viewers, json: `{"n":${n}}` });

test('a viewer learns limits, streams, codes and what is hidden; workers learn its filter', (t) => {
  const { viewers, changes, open, logged } = setUp([['user', 'email'], ['note']]);
  t.after(() => viewers.stop());
  const { response } = open({ stream: ['clicks'] });
  const [begin] = response.named('begin');
  assert.equal(response.status, 200);
  assert.deepEqual(begin!.streams, ['clicks', '(none)']);
  assert.deepEqual(begin!.redaction, ['user.email', 'note']);
  assert.equal(begin!.seconds, 600);
  assert.match(String((begin!.codes as Record<string, string>).schema), /schema/);
  assert.deepEqual(changes.at(-1), [{ id: 1, filter: { stream: ['clicks'] } }]);
  assert.deepEqual(viewers.viewers, changes.at(-1), 'a worker that starts later learns it too');
  const fields = { viewer: 1, address: '127.0.0.1', filter: { stream: ['clicks'] } };
  assert.deepEqual(logged, [[fields, 'live tail opened']]);
});

test('a viewer above the limit is refused; when one leaves, its place is free', (t) => {
  const { viewers, open, changes, logged } = setUp();
  t.after(() => viewers.stop());
  const first = open();
  for (let more = 1; more < TAIL_LIMITS.viewers; more++) assert(open().isOpen);
  assert.equal(open().isOpen, false);
  first.response.emit('close');
  assert.equal(changes.at(-1)!.length, TAIL_LIMITS.viewers - 1);
  assert.equal((logged.at(-1)![0] as { reason: string }).reason, 'closed');
  assert(open().isOpen);
  assert.equal(
    changes.at(-1)!.some(({ id }) => id === 1),
    false,
    'ids are not used again',
  );
});

test('an event reaches its viewers; what all workers send beyond the limit is counted', (t) => {
  const { viewers, open, pass } = setUp();
  t.after(() => viewers.stop());
  const [one, two] = [open().response, open().response];
  viewers.report({ entries: [entry(1, [1]), entry(2, [1, 2])], skipped: [[2, 5]] });
  assert.deepEqual(one.named('event'), [{ n: 1 }, { n: 2 }]);
  assert.deepEqual(two.named('event'), [{ n: 2 }]);
  const burst = Array.from({ length: 80 }, (_, n) => entry(n, [1]));
  viewers.report({ entries: burst, skipped: [] });
  assert.equal(one.named('event').length, TAIL_LIMITS.eventsPerSecond);
  viewers.report({ entries: [entry(1, [99])], skipped: [[99, 1]] });
  pass(1_000);
  viewers.tick();
  const skipped = 82 - TAIL_LIMITS.eventsPerSecond;
  const outage = 'No event can be stored';
  assert.deepEqual(one.named('status'), [{ skipped, secondsLeft: 599, waiting: 7, outage }]);
  assert.equal(two.named('status')[0]!.skipped, 5);
  viewers.tick();
  assert.equal(two.named('status')[1]!.skipped, 0, 'each is counted once');
  viewers.report({ entries: [entry(3, [1])], skipped: [] });
  assert.deepEqual(one.named('event').at(-1), { n: 3 });
});

test('a tail ends after its time, and with the instance', (t) => {
  const { viewers, open, pass, changes, logged } = setUp();
  t.after(() => viewers.stop());
  const { response } = open();
  pass(TAIL_LIMITS.durationMs - 1);
  viewers.tick();
  assert.equal(response.state, 'open');
  pass(1);
  viewers.tick();
  assert.deepEqual(response.named('end'), [{ reason: 'time' }]);
  assert.equal(response.state, 'ended');
  assert.deepEqual(changes.at(-1), []);
  const [fields, message] = logged.at(-1)!;
  assert.equal(message, 'live tail closed');
  assert.equal((fields as { seconds: number }).seconds, 600);
  response.emit('close');
  assert.equal(logged.length, 2, 'it is logged once');
  const other = open().response;
  viewers.stop();
  assert.deepEqual(other.named('end'), [{ reason: 'stopping' }]);
});

test('a viewer that does not read gets no further events, and is disconnected after a while', (t) => {
  const { viewers, open, pass } = setUp();
  t.after(() => viewers.stop());
  const [slow, other] = [open().response, open().response];
  slow.writableLength = TAIL_LIMITS.unreadBytes + 1;
  viewers.report({ entries: [entry(1, [1, 2])], skipped: [] });
  viewers.tick();
  assert.deepEqual(slow.named('event'), []);
  assert.equal(other.named('event').length, 1);
  slow.writableLength = 0;
  pass(1_000);
  viewers.tick();
  assert.equal(
    slow.named('status').at(-1)!.skipped,
    1,
    'it reads again and learns the number of missing events',
  );
  slow.writableLength = TAIL_LIMITS.unreadBytes + 1;
  viewers.tick();
  pass(TAIL_LIMITS.unreadMs);
  viewers.tick();
  assert.equal(slow.state, 'destroyed');
  assert.equal(other.state, 'open');
});

test('viewers learn of the death of a worker', (t) => {
  const { viewers, open } = setUp();
  t.after(() => viewers.stop());
  const { response } = open();
  viewers.workerDied();
  assert.equal(response.named('gap').length, 1);
});

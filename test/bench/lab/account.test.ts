import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Account, type Balance, imbalanceOf, type Sent } from '../../../bench/lab/account.ts';
import { idOf } from '../../../bench/load/packet.ts';

/** Two connections: the first one sent 4 events and got 3 results; event 1 was rejected. */
const SENT: Sent = {
  shape: { run: 'r1' },
  connections: [
    { sentEvents: 4, settledEvents: 3, refused: [1, 1], uncertain: [] },
    { sentEvents: 3, settledEvents: 3, refused: [], uncertain: [1, 2] },
  ],
};
/** Connection and number of events that must be stored; [0, 3], [1, 1] and [1, 2] may be. */
const STORED = [
  [0, 0],
  [0, 2],
  [1, 0],
] as const;

function store(account: Account, connection: number, event: number, run = 'r1'): void {
  const name = `client-${String(connection).padStart(5, '0')}`;
  const value = `{"id":"${idOf(run, connection, event)}","clientId":"${name}"}`;
  account.record(Buffer.from(name), Buffer.from(value));
}

function balanceWith(more: (account: Account) => void, stored: typeof STORED = STORED): Balance {
  const account = new Account();
  account.add(SENT);
  for (const [connection, event] of stored) store(account, connection, event);
  more(account);
  return account.balance();
}

test('acknowledged events are stored, events without a result may be', () => {
  assert.equal(imbalanceOf(balanceWith(() => {})), undefined);
  const perhaps = balanceWith((account) => {
    store(account, 0, 3);
    store(account, 1, 1);
    store(account, 1, 2);
  });
  assert.equal(imbalanceOf(perhaps), undefined);
  assert.deepEqual([perhaps.sent, perhaps.stored], [7, 6]);
});

const FLAWS: [string, string, Balance][] = [
  [
    'an acknowledged event that is missing',
    'missing 1',
    balanceWith(() => {}, STORED.slice(1) as never),
  ],
  ['a duplicated event', 'doubled 1', balanceWith((a) => store(a, 1, 0))],
  ['a rejected event that is stored', 'refusedStored 1', balanceWith((a) => store(a, 0, 1))],
  ['an event that was never sent', 'phantom 1', balanceWith((a) => store(a, 1, 3))],
  ['one of another connection', 'phantom 1', balanceWith((a) => store(a, 2, 0))],
  ['one of another run', 'phantom 1', balanceWith((a) => store(a, 1, 1, 'r2'))],
  [
    'an event under another’s key',
    'phantom 1',
    balanceWith((a) =>
      a.record(Buffer.from('client-00000'), Buffer.from('{"id":"r1-00001-00000001"')),
    ),
  ],
  [
    'bytes that are none of ours',
    'phantom 2',
    balanceWith((a) => {
      a.record(null, null);
      a.record(null, Buffer.from('{"msg":"hello"}'));
    }),
  ],
];

for (const [what, flaw, balance] of FLAWS) {
  test(`finds: ${what}`, () => {
    assert.match(imbalanceOf(balance) ?? '', new RegExp(`${flaw}\\b`));
  });
}

test('an event stored after a later one of its connection is out of order', () => {
  const refusedNow = balanceWith((account) => {
    store(account, 1, 2);
    store(account, 1, 1);
  });
  assert.match(imbalanceOf(refusedNow) ?? '', /disordered 1 /);
  const account = new Account(false);
  account.add(SENT);
  for (const [connection, event] of [...STORED].reverse()) store(account, connection, event);
  assert.equal(imbalanceOf(account.balance()), undefined, 'where there is no order to keep');
});

test('the id of an event is found anywhere in its text', () => {
  const account = new Account();
  account.add(SENT);
  const value = '{ "a": {"id": "x-1-2"}, "msg": "\\u00df", "id" : "r1-00000-00000000" }';
  account.record(Buffer.from('client-00000'), Buffer.from(value));
  store(account, 0, 2);
  store(account, 1, 0);
  assert.equal(imbalanceOf(account.balance()), undefined);
});

test('events of a connection in another topic may be earlier ones', () => {
  const account = new Account();
  account.add(SENT);
  store(account, 0, 2);
  store(account, 1, 0);
  account.nextTopic();
  store(account, 0, 0);
  assert.equal(imbalanceOf(account.balance()), undefined);
});

test('a run cannot be added twice', () => {
  const account = new Account();
  account.add(SENT);
  assert.throws(() => account.add(SENT), /duplicate run r1/);
});

test('events without a result are unanswered, whether stored or not', () => {
  const account = new Account();
  account.add(SENT);
  store(account, 0, 3);
  assert.equal(account.unanswered(), 1, 'event 3 of the first connection');
});

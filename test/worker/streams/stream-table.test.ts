import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../../../src/common/json-object.ts';
import { readConfig } from '../../../src/config/config.ts';
import { KIB, MIB } from '../../../src/config/limits.ts';
import { implicitStream } from '../../../src/streams/implicit-stream.ts';
import { REFUSE, type StreamFile, type StreamSpec } from '../../../src/streams/stream-file.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { ANONYMOUS, Identity } from '../../../src/worker/admission/identity.ts';
import { INVALID } from '../../../src/worker/decoder/json/json-grammar.ts';
import { RESULT_PROFILE } from '../../../src/worker/decoder/kernel/layout.ts';
import { Faults } from '../../../src/worker/faults.ts';
import { createStreams, createTopics } from '../../../src/worker/streams/create-streams.ts';
import { RejectingRoute, type Route } from '../../../src/worker/streams/route.ts';
import type { Sender, Stream, StreamRejection } from '../../../src/worker/streams/stream.ts';
import { reportingTo } from './record-stage.ts';

const [IMPLICIT] = implicitStream(readConfig({})).streams;
const SPEC: StreamSpec = { ...IMPLICIT!, key: [] };
const SETTINGS = { maxFrameBytes: 65_536, instance: 'here' };
const CLIENT: Sender = { identity: ANONYMOUS, origin: '', plain: false };

function tableOf(
  specs: Readonly<Record<string, Partial<StreamSpec>>>,
  { field, unknown = REFUSE }: { field?: string; unknown?: string } = {},
) {
  const file: StreamFile = {
    routing: { field: field?.split('.'), unknown },
    deadLetter: undefined,
    streams: Object.entries(specs).map(([name, spec]) => {
      return { ...SPEC, name, topic: `topic.${name}`, ...spec };
    }),
  };
  const budget = new Budget(64 * MIB);
  const topics = createTopics({ ...file, areDeclared: true }, budget, 65_536);
  const { counters, log } = reportingTo();
  const reporting = { counters, log, faults: new Faults(() => {}) };
  return createStreams({ file, areDeclared: true }, { budget, topics }, SETTINGS, reporting);
}

const nameOf = (found: Stream | StreamRejection) =>
  typeof found === 'string' ? found : found.name;

/** Selects the stream of an event on the slow path, and compares the fast one. */
function select(route: Route, event: JsonObject, text = JSON.stringify(event)): string {
  const slow = nameOf(route.stream ?? route.streamOf(event));
  const { fastValidator } = route;
  const bytes = Buffer.from(text);
  fastValidator?.load(bytes, 0, bytes.length);
  if (fastValidator !== undefined && fastValidator.objectEnd(0, bytes.length, 9) !== INVALID) {
    const profile = fastValidator.results[RESULT_PROFILE]!;
    const fast = nameOf(route.stream ?? route.streamAt(profile));
    assert.equal(fast, slow, `fast and slow path: ${text}`);
  }
  return slow;
}

const FIELD_ROUTED = {
  clicks: { match: ['click', 'tap'] },
  orders: { match: ['order'] },
  default: {},
};

test('the path names the stream; the routing field is then ignored', () => {
  const table = tableOf(FIELD_ROUTED, { field: 'type' });
  assert.equal(select(table.routeOf('orders', CLIENT), { type: 'click' }), 'orders');
  for (const name of ['none', '', 'Orders', 'orders/', 'order%73', '__proto__', 'constructor']) {
    const route = table.routeOf(name, CLIENT);
    assert(route instanceof RejectingRoute, name);
    assert.equal(route.rejection, 'unknown_stream', name);
  }
});

test('the routing field selects the stream of each event; without it, `default` does', () => {
  const route = tableOf(FIELD_ROUTED, { field: 'type' }).routeOf(undefined, CLIENT);
  assert.equal(select(route, { type: 'click' }), 'clicks');
  assert.equal(select(route, { type: 'tap', a: [] }), 'clicks');
  assert.equal(select(route, { a: 1, type: 'order' }), 'orders');
  assert.equal(select(route, { kind: 'order' }), 'default');
  assert.equal(select(route, {}), 'default');
});

test('a routing field with another value, or one that is not a string, is unknown', () => {
  const others = ['scroll', '', 'Click', 'clic', 1, null, true, [], {}, ['click'], { a: 'click' }];
  const refused = tableOf(FIELD_ROUTED, { field: 'type' }).routeOf(undefined, CLIENT);
  const routed = tableOf(FIELD_ROUTED, { field: 'type', unknown: 'orders' });
  for (const type of others) {
    assert.equal(select(refused, { type }), 'unknown_stream', JSON.stringify(type));
    const unknown = routed.routeOf(undefined, CLIENT);
    assert.equal(select(unknown, { type }), 'orders', JSON.stringify(type));
  }
});

test('of duplicate routing fields the last one counts, and escapes are decoded', () => {
  const route = tableOf(FIELD_ROUTED, { field: 'type' }).routeOf(undefined, CLIENT);
  for (const [text, stream] of [
    ['{"type":"click","type":"order"}', 'orders'],
    ['{"type":"order","type":1}', 'unknown_stream'],
    ['{"type":"\\u0063lick"}', 'clicks'],
    ['{"\\u0074ype":"click"}', 'clicks'],
  ] as const) {
    assert.equal(select(route, JSON.parse(text) as JsonObject, text), stream, text);
  }
});

test('a routing field may be nested, or have a name with dots', () => {
  const route = tableOf(FIELD_ROUTED, { field: 'meta.type' }).routeOf(undefined, CLIENT);
  assert.equal(select(route, { meta: { type: 'click' } }), 'clicks');
  assert.equal(select(route, { 'meta.type': 'order', meta: { type: 'click' } }), 'orders');
  for (const meta of ['text', 1, null, [], [{ type: 'click' }], {}]) {
    assert.equal(select(route, { meta }), 'default', JSON.stringify(meta));
  }
});

test('without a stream `default`, an event that no rule assigns is unknown', () => {
  const { default: _default, ...others } = FIELD_ROUTED;
  assert.equal(
    select(tableOf(others, { field: 'type' }).routeOf(undefined, CLIENT), {}),
    'unknown_stream',
  );
  assert(tableOf(others).routeOf(undefined, CLIENT) instanceof RejectingRoute);
});

test('a key with a single stream needs to name none; the field comes before', () => {
  const identity = new Identity('k', Number.POSITIVE_INFINITY, undefined, new Set(['orders']));
  const keyed = { clicks: { match: ['click'] }, orders: { access: 'keyed' }, default: {} } as const;
  const sender = { ...CLIENT, identity };
  assert.equal(select(tableOf(keyed).routeOf(undefined, sender), {}), 'orders');
  const route = tableOf(keyed, { field: 'type' }).routeOf(undefined, sender);
  assert.equal(select(route, {}), 'orders');
  assert.equal(select(route, { type: 'click' }), 'clicks');
});

test('a key whose single stream does not exist does not write to the default', () => {
  const identity = new Identity('k', Number.POSITIVE_INFINITY, undefined, new Set(['typo']));
  const route = tableOf({ default: {} }).routeOf(undefined, { ...CLIENT, identity });
  assert(route instanceof RejectingRoute);
});

test('the origin `*` of a stream admits every page', () => {
  const table = tableOf({ default: { origins: ['*'] } });
  assert.equal(
    select(table.routeOf(undefined, { ...CLIENT, origin: 'https://a.example' }), {}),
    'default',
  );
});

test('a stream without permission is unknown; forbidden tells that it exists', () => {
  const specs = {
    keyed: { access: 'keyed', match: ['k'] },
    open: { match: ['o'] },
    acked: { plain: 'refuse', match: ['a'] },
    shop: { origins: ['https://shop.example'], match: ['s'] },
  } as const;
  const table = tableOf(specs, { field: 'type' });
  const named = (streams?: string[]) =>
    new Identity('k', Number.POSITIVE_INFINITY, undefined, streams && new Set(streams));
  const page = { ...CLIENT, origin: 'https://other.example' };
  for (const [sender, name, type, expected] of [
    [CLIENT, 'keyed', 'k', 'unknown_stream'],
    [{ ...CLIENT, identity: named() }, 'keyed', 'k', 'keyed'],
    [{ ...CLIENT, identity: named(['keyed']) }, 'keyed', 'k', 'keyed'],
    [{ ...CLIENT, identity: named(['other']) }, 'keyed', 'k', 'unknown_stream'],
    [{ ...CLIENT, identity: named([]) }, 'keyed', 'k', 'unknown_stream'],
    [{ ...CLIENT, identity: named([]) }, 'open', 'o', 'open'],
    [{ ...CLIENT, plain: true }, 'acked', 'a', 'forbidden_stream'],
    [CLIENT, 'acked', 'a', 'acked'],
    [page, 'shop', 's', 'forbidden_stream'],
    [{ ...page, origin: 'https://shop.example' }, 'shop', 's', 'shop'],
    [CLIENT, 'shop', 's', 'shop'],
    [page, 'open', 'o', 'open'],
    [{ ...page, plain: true }, 'keyed', 'k', 'unknown_stream'],
  ] as const) {
    const message = `${name} ${JSON.stringify(sender)}`;
    assert.equal(select(table.routeOf(name, sender), {}), expected, message);
    assert.equal(select(table.routeOf(undefined, sender), { type }), expected, message);
  }
});

test('clients without credentials may send only where a stream is open to them', () => {
  const table = tableOf({ open: {}, default: {}, keyed: { access: 'keyed' } });
  assert(table.isOpen('open') && table.isOpen(undefined));
  assert(!table.isOpen('keyed') && !table.isOpen('none'));
  assert(!tableOf({ keyed: { access: 'keyed' } }).isOpen(undefined));
  const reached = { keyed: { access: 'keyed', match: ['k'] }, open: {} } as const;
  assert(!tableOf(reached, { field: 'type' }).isOpen(undefined), 'only by its path');
  assert(tableOf(reached, { field: 'type', unknown: 'open' }).isOpen(undefined));
  const matched = { ...reached, open: { match: ['o'] } };
  assert(tableOf(matched, { field: 'type' }).isOpen(undefined));
});

test('the buffer of several streams is pressed by those in use, or if all that it leads to are', () => {
  const specs = { ...FIELD_ROUTED, keyed: { access: 'keyed', match: ['k'] } } as const;
  const table = tableOf(specs, { field: 'type' });
  const route = table.routeOf(undefined, CLIENT);
  const { buffer } = route;
  assert(buffer !== undefined);
  const press = (name: string) => {
    const { share } = table.streams.find((stream) => stream.name === name)!.topic;
    while (!share!.underPressure) share!.charge(KIB);
  };
  press('orders');
  assert(!buffer.underPressure, 'no event of `orders` is open');
  route.streamOf({ type: 'order' });
  assert(buffer.underPressure);
  buffer.settled?.();
  assert(!buffer.underPressure, 'the others have room');
  press('clicks');
  assert(!buffer.underPressure);
  press('default');
  assert(buffer.underPressure, 'a stream that it may not write to does not count');
  const withKey = { ...CLIENT, identity: new Identity('k', Number.POSITIVE_INFINITY) };
  assert(!table.routeOf(undefined, withKey, buffer).buffer?.underPressure);
});

test('fast and slow path select the same stream, for any event', () => {
  const specs = {
    clicks: { match: ['click', 'tap'], key: [['user']] },
    orders: { match: ['order', 'é'], key: [['orderId']] },
    tenants: { match: ['tenant'], key: [['tenant'], ['user']] },
    default: { key: [['user', 'id']] },
  };
  const value = fc.oneof(
    fc.constantFrom('click', 'tap', 'order', 'é', 'tenant', 'scroll', '', 'cli\u0063k'),
    fc.jsonValue(),
  );
  const names = fc.constantFrom('type', 'user', 'orderId', 'tenant', 'user.id', 'a');
  const events = fc.dictionary(names, value, { maxKeys: 5 });
  for (const field of ['type', 'user.id']) {
    for (const unknown of [REFUSE, 'orders']) {
      const route = tableOf(specs, { field, unknown }).routeOf(undefined, CLIENT);
      let fast = 0;
      fc.assert(
        fc.property(events, (event) => {
          const bytes = Buffer.from(JSON.stringify(event));
          route.fastValidator?.load(bytes, 0, bytes.length);
          if (route.fastValidator?.objectEnd(0, bytes.length, 9) !== INVALID) fast++;
          select(route, event as JsonObject);
        }),
        { numRuns: 500 },
      );
      assert(fast > 50, `${fast} of 500 events were accepted by the fast path`);
    }
  }
});

/** Events that the test page generates from an example. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

type Event = Record<string, unknown>;
interface Template {
  readonly event: Event;
  readonly vary: readonly { readonly path: readonly string[]; readonly as: string }[];
}
const file = new URL('../../src/page/static/template.js', import.meta.url);
const { draftOf, fill, idOf, templateOf, valuesOf, withId } = (await import(file.href)) as {
  draftOf(template: Template, name: string): Event;
  fill(template: Template, values: Event): Event;
  idOf(event: Event, idField: string): string;
  templateOf(event: Event, idField: string): Template;
  valuesOf(name: string, number: number): Event;
  withId(event: Event, template: Template, values: Event): Event | undefined;
};

const template: Template = {
  event: { msg: 'text', user: { name: 'n' }, count: 7 },
  vary: [
    { path: ['eventId'], as: 'id' },
    { path: ['user', 'id'], as: 'name' },
    { path: ['at', 'ms'], as: 'number' },
    { path: ['msg'], as: 'text' },
  ],
};

test('varying values are filled in, also nested ones, and the example is unchanged', () => {
  assert.deepEqual(fill(template, valuesOf('page-a', 3)), {
    msg: 'event 3',
    user: { name: 'n', id: 'page-a' },
    count: 7,
    eventId: 'page-a-3',
    at: { ms: 3 },
  });
  assert.deepEqual(template.event, { msg: 'text', user: { name: 'n' }, count: 7 });
  const odd = fill({ event: {}, vary: [{ path: ['__proto__'], as: 'name' }] }, { name: 'x' });
  assert.equal(JSON.stringify(odd), '{"__proto__":"x"}');
});

test('a draft has no id; the event gets one when it is sent, unless it has one', () => {
  const draft = draftOf({ ...template, event: { ...template.event, eventId: 'old' } }, 'page-a');
  assert.deepEqual([draft.eventId, draft.msg], [undefined, 'my own event']);
  const values = valuesOf('page-a', 4);
  assert.deepEqual(withId({ a: 1 }, template, values), { eventId: 'page-a-4', a: 1 });
  assert.equal(withId({ eventId: 'own' }, template, values), undefined);
  assert.equal(withId({ a: 1 }, { event: {}, vary: [] }, values), undefined);
});

test('an id may be a nested field', () => {
  const nested = { event: { meta: { v: 1 } }, vary: [{ path: ['meta', 'id'], as: 'id' }] };
  const values = valuesOf('page-a', 4);
  const whole = { meta: { v: 1, id: 'page-a-4' } };
  assert.deepEqual(fill(nested, values), whole);
  assert.deepEqual(draftOf({ ...nested, event: whole }, 'page-a'), { meta: { v: 1 } });
  assert.deepEqual(draftOf({ ...nested, event: { meta: 'text' } }, 'page-a'), { meta: 'text' });
  const own = { meta: { v: 1 } };
  assert.deepEqual(withId(own, nested, values), whole);
  assert.deepEqual(own, { meta: { v: 1 } }, 'the event itself is unchanged');
  assert.deepEqual(withId({ a: 1 }, nested, values), { a: 1, meta: { id: 'page-a-4' } });
  assert.equal(withId(whole, nested, values), undefined);
  assert.equal(withId({ meta: [] }, nested, values), undefined, 'no room for it');
  const ids = ['meta.id', 'other.id'].map((field) => idOf({ meta: { id: 7 } }, field));
  assert.deepEqual(ids, ['7', '']);
  assert.equal(idOf({ 'meta.id': 'literal', meta: { id: 7 } }, 'meta.id'), 'literal');
  const next = valuesOf('page-a', 5);
  assert.deepEqual(fill(templateOf({ meta: { id: 'x' } }, 'meta.id'), next), {
    meta: { id: 'page-a-5' },
  });
});

test('an event of the user becomes the template, with ids of the page if it has one', () => {
  const values = valuesOf('page-a', 5);
  assert.deepEqual(fill(templateOf({ id: 'x', a: 1 }, 'id'), values), { id: 'page-a-5', a: 1 });
  assert.deepEqual(fill(templateOf({ id: 9, a: 1 }, 'id'), values), { id: 9, a: 1 });
  assert.deepEqual(fill(templateOf({ a: 1 }, 'id'), values), { a: 1 });
});

test('a UUID is a new one of version 4 each time', () => {
  const uuids = Array.from({ length: 50 }, () => String(valuesOf('page-a', 1).uuid));
  for (const uuid of uuids) {
    assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
  assert.equal(new Set(uuids).size, uuids.length);
});

/** Parts that both specifications share. */
import { isObject } from '../../../common/json-object.ts';

/** An object of a parsed specification, to be changed. */
export type Document = Record<string, unknown>;

/** Extensions for the tests of the documents. */
const TEST_DATA = ['x-request', 'x-frames'];

/** Returns a copy without what only tests use, and without shared objects. */
export function withoutTestData(document: Document): Document {
  return JSON.parse(JSON.stringify(document), (name, value) =>
    TEST_DATA.includes(name) ? undefined : value,
  ) as Document;
}

/** @throws Error if the document has no object there */
export function objectAt(parent: Document, name: string): Document {
  const value = parent[name];
  if (!isObject(value)) throw new Error(`the specification has no ${name}`);
  return value as Document;
}

/** Schema of the events of a frame or body: one, or an array. */
export function eventsOf(event: string, maxItems: number): Document {
  return { oneOf: [{ $ref: event }, { type: 'array', maxItems, items: { $ref: event } }] };
}

/** Description of a document for an installation. */
export function generated(other: string): string {
  return (
    'Printed by `forebay streams spec` for one installation. docs/protocol.md has the rules, ' +
    `${other} Clients ignore unknown fields and codes.`
  );
}

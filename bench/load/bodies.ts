/**
 * Texts of events. A plain event is the shortest one that the built-in schema accepts, filled with
 * one letter. Bodies of a schema vary from event to event: order of fields, white space, escapes,
 * Unicode, optional fields and size. All of them satisfy the built-in schema too, and contain
 * placeholders of fixed length for what differs in each event that is sent.
 */
import { SeededRandom } from '../../testing/random.ts';
import { type JsonObject, type SchemaDocument, schemaOf } from './json-schema.ts';
import { type Style, styleOf, write } from './json-style.ts';
import { KINDS, kindSchema } from './kinds.ts';
import type { BodyName } from './messages.ts';
import { growingIn, Sampler } from './sample.ts';
import { textOfLength } from './words.ts';

/** Placeholders, in decimal digits. */
export const CONNECTION = '00000';
export const NUMBER = '00000000';
export const TIME = '1000000000000';

/** Sizes of bodies: a share of the requested one. */
export const SIZE = { least: 0.9, most: 1.1 };
const SEED = 7;
/** Tries until an event fits into its size, and the longest text of each, as a share of it. */
const ATTEMPTS = [
  { optional: true, textShare: 0.1 },
  { optional: false, textShare: 0.05 },
  { optional: false, textShare: 0.02 },
];

export interface BodyShape {
  readonly body: BodyName;
  /** Bytes of an event of `plain`, mean bytes of the others. */
  readonly eventBytes: number;
  /** 1 to 8 letters and digits. */
  readonly run: string;
}

/** Bodies without their run, by shape: a load client opens the same shape again and again. */
const made = new Map<string, readonly string[]>();

/**
 * Returns different bodies, the same in each run; `plain` has only one.
 * @throws RangeError if `eventBytes` is too small for the fields
 */
export function bodiesOf({ body, eventBytes, run }: BodyShape, count: number): string[] {
  if (body === 'plain') return [plainBody(run, eventBytes)];
  const mean = eventBytes - run.length;
  const key = `${body} ${mean} ${count}`;
  const bodies = made.get(key) ?? variedBodies(body, mean, count);
  made.set(key, bodies);
  return bodies.map((text) => text.replace(`"${ID}"`, `"${run}${ID}"`));
}

/** Fields that identify an event, without its run. */
const ID = `-${CONNECTION}-${NUMBER}`;
const CLIENT_ID = `client-${CONNECTION}`;

function plainBody(run: string, bytes: number): string {
  const fields = `{"id":"${run}${ID}","clientId":"${CLIENT_ID}","timestamp":${TIME},"msg":"`;
  const filling = bytes - fields.length - 2;
  if (filling < 0) throw tooSmall(bytes);
  return `${fields}${'x'.repeat(filling)}"}`;
}

function variedBodies(body: Exclude<BodyName, 'plain'>, mean: number, count: number): string[] {
  const kinds = Array.from({ length: KINDS }, (_, index) => index);
  const schemas = body === 'mixed' ? kinds.map(kindSchema) : [schemaOf(body)];
  return Array.from({ length: count }, (_, index) => {
    const random = new SeededRandom(SEED, `${body} ${index}`);
    const bytes = Math.round(mean * random.between(SIZE.least, SIZE.most));
    return variedBody(schemas[index % schemas.length]!, random, bytes);
  });
}

/** Returns an event of exactly `bytes`: its arrays grow, and its message takes the rest. */
function variedBody(schema: SchemaDocument, random: SeededRandom, bytes: number): string {
  const style = styleOf(random);
  for (const attempt of ATTEMPTS) {
    const sampler = new Sampler(schema, random, bytes * attempt.textShare);
    const fields = { id: ID, clientId: CLIENT_ID, timestamp: Number(TIME), msg: '' };
    const event: JsonObject = { ...sampler.event(attempt.optional), ...fields };
    if (bytesOf(write(event, style)) > bytes) continue;
    grow(event, schema, sampler, style, bytes);
    const left = bytes - bytesOf(write(event, style));
    const msg = textOfLength(random, left, (part) => bytesOf(write(part, style)) - 2);
    return write({ ...event, msg }, style);
  }
  throw tooSmall(bytes);
}

/** Adds items to arrays in turn while they fit into `bytes`. */
function grow(
  event: JsonObject,
  schema: SchemaDocument,
  sampler: Sampler,
  style: Style,
  bytes: number,
): void {
  let left = bytes - bytesOf(write(event, style));
  let growing = growingIn(event, schema);
  while (growing.length > 0) {
    growing = growing.filter(({ list, schema: { items = {}, maxItems = 0 }, level }) => {
      if (list.length >= maxItems) return false;
      const item = sampler.value(items);
      // The lines around the item, the last one with the bracket, and a comma.
      const around = bytesOf(write([0], style, level)) + style.comma.length;
      const needed = bytesOf(write(item, style, level + 1)) + around;
      if (needed > left) return false;
      list.push(item);
      left -= needed;
      return true;
    });
  }
}

function bytesOf(text: string): number {
  return Buffer.byteLength(text);
}

function tooSmall(bytes: number): RangeError {
  return new RangeError(`an event does not fit into ${bytes} bytes`);
}

/**
 * MessagePack of stored records as JSON text. The bytes are untrusted: any producer may write to a
 * topic. The text is the one that the gateway stores for the same event as JSON: fields keep their
 * order and their duplicates, and what JSON cannot represent is an error.
 */
import { Decoder } from '@msgpack/msgpack';
import { KIND, KINDS, lengthAt, NUMBER_BYTES } from '../common/msgpack-types.ts';

/** Nesting of arrays and maps that is decoded: the maximum of FOREBAY_MAX_EVENT_DEPTH. */
export const DEPTH_MAX = 1_000;

/** Separates a serial number from the name of a field; see {@link KEYS}. */
const MARK = ':';
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Numbers the fields of maps, so that an object of the library keeps all of them, in order: names
 * are unique, none looks like an index, and none is `__proto__`, which the library rejects.
 */
const KEYS = {
  fields: 0,
  canBeCached: () => true,
  decode(bytes: Uint8Array, start: number, length: number): string {
    return `${this.fields++}${MARK}${textOf(bytes.subarray(start, start + length))}`;
  },
};

const decoder = new Decoder({
  useBigInt64: true,
  // The library accepts invalid UTF-8. Other values that it returns as bytes are rejected before.
  rawStrings: true,
  keyDecoder: KEYS,
  mapKeyConverter: (key) => {
    if (typeof key !== 'string') throw new Error('map key is not a string');
    return key;
  },
});

/**
 * Converts one value.
 * @throws Error if the bytes are not valid MessagePack, or not representable in JSON
 */
export function msgpackToJson(bytes: Buffer): string {
  checkStructure(bytes);
  KEYS.fields = 0;
  return jsonOf(decoder.decode(bytes));
}

/**
 * Checks lengths, types and nesting before the library allocates an array of each declared length:
 * a record of 1 MB can declare terabytes.
 */
function checkStructure(bytes: Buffer): void {
  /** Remaining items of the enclosing arrays and maps. */
  const parents: number[] = [];
  let left = 1;
  let at = 0;
  /** Items that the rest of the value has at least; each takes a byte. */
  let declared = 1;
  while (declared > 0) {
    const type = bytes[at];
    const kind = KINDS[type ?? 0]!;
    const end = at + 1 + NUMBER_BYTES[type ?? 0]!;
    if (type === undefined || end > bytes.length) throw new Error('unexpected end of input');
    declared--;
    left--;
    switch (kind) {
      case KIND.string:
        at = end + lengthAt(bytes, at);
        if (at > bytes.length) throw new Error('string length exceeds the remaining input');
        break;
      case KIND.array:
      case KIND.map:
        parents.push(left);
        if (parents.length > DEPTH_MAX) throw new Error(`nested more than ${DEPTH_MAX} deep`);
        left = lengthAt(bytes, at) * (kind === KIND.map ? 2 : 1);
        declared += left;
        at = end;
        if (declared > bytes.length - at) {
          throw new Error('array or map length exceeds the remaining input');
        }
        break;
      case KIND.binary:
        throw new Error('binary data is not supported');
      case KIND.extension:
        throw new Error('extension types are not supported');
      case KIND.none:
        throw new Error('not a MessagePack type');
      default:
        at = end;
    }
    while (left === 0 && parents.length > 0) left = parents.pop()!;
  }
  if (at < bytes.length) throw new Error('unexpected bytes after the end');
}

/** @param value a value of the library; its nesting is bounded */
function jsonOf(value: unknown): string {
  if (value instanceof Uint8Array) return JSON.stringify(textOf(value));
  if (typeof value === 'number') return numberOf(value);
  if (typeof value === 'bigint') return integerOf(value);
  if (Array.isArray(value)) return `[${value.map(jsonOf).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(([key, field]) => {
    return `${JSON.stringify(key.slice(key.indexOf(MARK) + 1))}:${jsonOf(field)}`;
  });
  return `{${fields.join(',')}}`;
}

function numberOf(value: number): string {
  if (!Number.isFinite(value)) throw new Error('number is not finite');
  return Object.is(value, -0) ? '-0' : JSON.stringify(value);
}

const EXACT_MAX = 2n ** 53n;

function integerOf(value: bigint): string {
  if (value > EXACT_MAX || value < -EXACT_MAX) throw new Error('integer beyond 2^53');
  return value.toString();
}

function textOf(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new Error('string is not valid UTF-8');
  }
}

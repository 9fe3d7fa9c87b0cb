/** How `listen` shows a record. */
import { isUtf8 } from 'node:buffer';
import { type Colours, paintJson } from './colours.ts';

export interface ListenedRecord {
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since 1970, as Kafka has it. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/** `partition offset key value`, separated by tabs; `-` where there is no key or value. */
export function plainLine(record: ListenedRecord, colours?: Colours): string {
  const { partition, offset, key, value } = record;
  const place = `${partition}\t${offset}`;
  if (colours === undefined) return `${place}\t${shown(key)}\t${shown(value)}\n`;
  return `${colours.place(place)}\t${colours.key(shown(key))}\t${painted(value, colours)}\n`;
}

/**
 * One JSON object; key and value are the record's text, or null. What is no UTF-8 has `Base64`
 * after its name instead.
 */
export function jsonLine({ partition, offset, timestamp, key, value }: ListenedRecord): string {
  // The offset's digits stand there as they are: a number of JavaScript may be too short for them.
  return (
    `{"partition":${partition},"offset":${offset},"timestamp":${timestamp},` +
    `${jsonMember('key', key)},${jsonMember('value', value)}}\n`
  );
}

function jsonMember(name: string, bytes: Buffer | null): string {
  if (bytes === null) return `"${name}":null`;
  if (!isUtf8(bytes)) return `"${name}Base64":"${bytes.toString('base64')}"`;
  // JSON itself lets some through that a terminal obeys.
  return `"${name}":${JSON.stringify(bytes.toString('utf8')).replace(UNPRINTABLE, unicode)}`;
}

/** Broken values stand out. */
function painted(value: Buffer | null, colours: Colours): string {
  const text = shown(value);
  if (value === null) return text;
  return isJson(value) ? paintJson(text, colours) : colours.broken(text);
}

function isJson(value: Buffer): boolean {
  try {
    JSON.parse(value.toString('utf8'));
    return isUtf8(value);
  } catch {
    return false;
  }
}

/** Bytes that are no UTF-8 are told one by one. */
function shown(bytes: Buffer | null): string {
  if (bytes === null) return '-';
  return isUtf8(bytes)
    ? printable(bytes.toString('utf8'))
    : printable(bytes.toString('latin1')).replace(/[\u00a0-\u00ff]/g, escaped);
}

/** C0, DEL and C1 controls, line separators, and marks that turn the direction of writing. */
const UNPRINTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through
  /[\u0000-\u001f\u007f-\u009f\u061c\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** The text with everything escaped that would move the cursor, colour or reorder a terminal. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

function escaped(character: string): string {
  const code = character.charCodeAt(0).toString(16);
  return (
    SHORT[character] ?? (code.length <= 2 ? `\\x${code.padStart(2, '0')}` : unicode(character))
  );
}

function unicode(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

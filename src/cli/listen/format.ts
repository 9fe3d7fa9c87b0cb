/** How `listen` shows a record. */
import { isUtf8 } from 'node:buffer';
import { escaped, printable, printableJson } from '../../common/printable.ts';
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
  return `"${name}":${printableJson(JSON.stringify(bytes.toString('utf8')))}`;
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

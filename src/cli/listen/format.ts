/** Output format of `listen`. */
import { isUtf8 } from 'node:buffer';
import { escaped, printable, printableJson } from '../../common/printable.ts';
import { type Colors, paintJson } from './colors.ts';

export interface ListenedRecord {
  readonly partition: number;
  readonly offset: bigint;
  /** Kafka's timestamp, milliseconds since 1970. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/** `partition offset key value`, separated by tabs; `-` for a missing key or value. */
export function plainLine(record: ListenedRecord, colors?: Colors): string {
  const { partition, offset, key, value } = record;
  const place = `${partition}\t${offset}`;
  if (colors === undefined) return `${place}\t${shown(key)}\t${shown(value)}\n`;
  return `${colors.place(place)}\t${colors.key(shown(key))}\t${painted(value, colors)}\n`;
}

/**
 * One JSON object; key and value are the record's text, or null. For invalid UTF-8 the name is
 * followed by `Base64`.
 */
export function jsonLine({ partition, offset, timestamp, key, value }: ListenedRecord): string {
  // The offset is written as digits: it may exceed the precision of a number.
  return (
    `{"partition":${partition},"offset":${offset},"timestamp":${timestamp},` +
    `${jsonMember('key', key)},${jsonMember('value', value)}}\n`
  );
}

function jsonMember(name: string, bytes: Buffer | null): string {
  if (bytes === null) return `"${name}":null`;
  if (!isUtf8(bytes)) return `"${name}Base64":"${bytes.toString('base64')}"`;
  // JSON leaves some characters unescaped that control a terminal.
  return `"${name}":${printableJson(JSON.stringify(bytes.toString('utf8')))}`;
}

/** Highlights invalid JSON. */
function painted(value: Buffer | null, colors: Colors): string {
  const text = shown(value);
  if (value === null) return text;
  return isJson(value) ? paintJson(text, colors) : colors.broken(text);
}

function isJson(value: Buffer): boolean {
  try {
    JSON.parse(value.toString('utf8'));
    return isUtf8(value);
  } catch {
    return false;
  }
}

/** Escapes invalid UTF-8 byte by byte. */
function shown(bytes: Buffer | null): string {
  if (bytes === null) return '-';
  return isUtf8(bytes)
    ? printable(bytes.toString('utf8'))
    : printable(bytes.toString('latin1')).replace(/[\u00a0-\u00ff]/g, escaped);
}

/** `1 event`, `2 events`. */
export function counted(count: number, name: string): string {
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

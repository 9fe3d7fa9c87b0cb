/** Output format of `listen`. */
import { isUtf8 } from 'node:buffer';
import { escaped, printable, printableJson } from '../../common/printable.ts';
import type { RecordHeader, RecordHeaders } from '../../kafka/record-headers.ts';
import type { RecordValue } from '../../kafka/record-value.ts';
import { type Colors, paintJson, UNCOLORED } from './colors.ts';

export interface ListenedRecord {
  readonly partition: number;
  readonly offset: bigint;
  /** Kafka's timestamp, milliseconds since 1970. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly headers: RecordHeaders;
  readonly value: RecordValue;
}

export interface Format {
  /** Adds the headers. */
  readonly headers: boolean;
  readonly colors?: Colors | undefined;
}

/**
 * `partition offset key [headers] value`, separated by tabs; `-` for a missing key or value, and
 * for no headers.
 */
export function plainLine(record: ListenedRecord, { headers, colors = UNCOLORED }: Format): string {
  const { partition, offset, key, value } = record;
  const columns = [colors.place(`${partition}\t${offset}`), colors.key(shown(key))];
  if (headers) columns.push(shownHeaders(record.headers, colors));
  columns.push(painted(value, colors));
  return `${columns.join('\t')}\n`;
}

/**
 * One JSON object; key and value are the record's text, or null; `schemaId` is the id that precedes
 * the value, if any. For invalid UTF-8, and for MessagePack that JSON cannot represent, the name is
 * followed by `Base64`.
 */
export function jsonLine(record: ListenedRecord, { headers }: Pick<Format, 'headers'>): string {
  const { partition, offset, timestamp, key, value } = record;
  const members = [
    // The offset is written as digits: it may exceed the precision of a number.
    `"partition":${partition},"offset":${offset},"timestamp":${timestamp}`,
    jsonMember('key', key),
    ...(headers ? headerMembers(record.headers) : []),
    ...valueMembers(value),
  ];
  return `{${members.join(',')}}\n`;
}

function jsonMember(name: string, bytes: Buffer | null): string {
  if (bytes === null) return `"${name}":null`;
  return isUtf8(bytes) ? `"${name}":${quoted(bytes)}` : base64Member(name, bytes);
}

function base64Member(name: string, bytes: Buffer): string {
  return `"${name}Base64":"${bytes.toString('base64')}"`;
}

function valueMembers({ bytes, problem, schemaId }: RecordValue): string[] {
  if (bytes === null || problem === undefined) {
    const value = jsonMember('value', bytes);
    return schemaId === undefined ? [value] : [`"schemaId":${schemaId}`, value];
  }
  return [base64Member('value', bytes), `"valueError":${JSON.stringify(problem)}`];
}

/** Objects of the headers by name: those with text or null, and those with other bytes, if any. */
function headerMembers(headers: RecordHeaders): string[] {
  const isText = ({ value }: RecordHeader) => value === null || isUtf8(value);
  const members = [jsonHeaders('headers', headers.filter(isText), jsonText)];
  const others = headers.filter((header) => !isText(header));
  if (others.length > 0) members.push(jsonHeaders('headersBase64', others, base64Text));
  return members;
}

function jsonText(bytes: Buffer | null): string {
  return bytes === null ? 'null' : quoted(bytes);
}

function base64Text(bytes: Buffer | null): string {
  return bytes === null ? 'null' : `"${bytes.toString('base64')}"`;
}

/** A repeated name has an array of its values. */
function jsonHeaders(
  member: string,
  headers: RecordHeaders,
  write: (value: Buffer | null) => string,
): string {
  const values = new Map<string, string[]>();
  for (const { name, value } of headers) {
    const others = values.get(name);
    if (others === undefined) values.set(name, [write(value)]);
    else others.push(write(value));
  }
  const fields = [...values].map(([name, texts]) => {
    const text = texts.length === 1 ? texts[0] : `[${texts.join(',')}]`;
    return `${printableJson(JSON.stringify(name))}:${text}`;
  });
  return `"${member}":{${fields.join(',')}}`;
}

/** Text as a JSON string. JSON leaves some characters unescaped that control a terminal. */
function quoted(text: Buffer): string {
  return printableJson(JSON.stringify(text.toString('utf8')));
}

/** Characters of header names and values that need no quotes: visible ASCII without `"`, `=`, `\`. */
const BARE = /^[!#-<>-[\]-~]+$/;

/** `name=value` of each header, separated by spaces; a name alone has no value. */
function shownHeaders(headers: RecordHeaders, colors: Colors): string {
  if (headers.length === 0) return '-';
  const texts = headers.map(({ name, value }) => {
    const shownName = colors.name(bareOrQuoted(Buffer.from(name)));
    return value === null ? shownName : `${shownName}=${colors.text(bareOrQuoted(value))}`;
  });
  return texts.join(' ');
}

/** Other texts are quoted as in JSON, and invalid UTF-8 byte by byte. */
function bareOrQuoted(bytes: Buffer): string {
  if (!isUtf8(bytes)) return `"${byteByByte(bytes.toString('latin1').replace(/["\\]/g, '\\$&'))}"`;
  const text = bytes.toString('utf8');
  return BARE.test(text) ? text : quoted(bytes);
}

/** Highlights invalid JSON. */
function painted({ bytes, problem }: RecordValue, colors: Colors): string {
  const text = shown(bytes);
  if (problem !== undefined) return colors.broken(`${text} (${problem})`);
  if (bytes === null || colors === UNCOLORED) return text;
  return isJson(bytes) ? paintJson(text, colors) : colors.broken(text);
}

function isJson(value: Buffer): boolean {
  try {
    JSON.parse(value.toString('utf8'));
    return isUtf8(value);
  } catch {
    return false;
  }
}

/** Returns bytes as text for a terminal, with invalid UTF-8 escaped byte by byte; null as `-`. */
export function shown(bytes: Buffer | null): string {
  if (bytes === null) return '-';
  return isUtf8(bytes) ? printable(bytes.toString('utf8')) : byteByByte(bytes.toString('latin1'));
}

/** @param latin1 a character per byte */
function byteByByte(latin1: string): string {
  return printable(latin1).replace(/[\u00a0-\u00ff]/g, escaped);
}

/** `1 event`, `2 events`. */
export function counted(count: number, name: string): string {
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

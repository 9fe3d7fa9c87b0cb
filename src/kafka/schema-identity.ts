/**
 * Identity of a schema in records, as Confluent's serializers write it and their deserializers read
 * it (SchemaId, PrefixSchemaIdSerializer and HeaderSchemaIdSerializer of io.confluent.kafka):
 *
 *   prefix of the value: a zero byte, the id in 4 bytes, big-endian; then the value
 *   header:              a byte 1, the GUID in 16 bytes, in the order of its text
 */

/** Name of the record header with the identity of the value's schema. */
export const VALUE_SCHEMA_HEADER = '__value_schema_id';

/** Bytes before a value with a prefix. */
export const PREFIX_BYTES = 5;

const ID_MARK = 0;
const GUID_MARK = 1;
const GUID_BYTES = 16;

/** Returns the prefix for the schema with this id. */
export function prefixOf(id: number): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES, ID_MARK);
  prefix.writeUInt32BE(id, 1);
  return prefix;
}

/**
 * Returns the id in the prefix of a value; undefined = it has none. JSON never begins with a zero
 * byte, and neither does MessagePack of an event.
 */
export function prefixedId(value: Buffer): number | undefined {
  return value.length >= PREFIX_BYTES && value[0] === ID_MARK ? value.readUInt32BE(1) : undefined;
}

/** Returns the value of the header for a GUID such as 01234567-89ab-cdef-0123-456789abcdef. */
export function guidHeaderOf(guid: string): Buffer {
  return Buffer.concat([Buffer.of(GUID_MARK), Buffer.from(guid.replaceAll('-', ''), 'hex')]);
}

/** Returns the GUID in the value of the header; undefined = it has none. */
export function guidIn(value: Buffer): string | undefined {
  if (value.length !== 1 + GUID_BYTES || value[0] !== GUID_MARK) return undefined;
  const hex = value.toString('hex', 1);
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** Events for tests that depend on single bytes. */

/** Returns the text of a valid event of the built-in schema. */
export function good(id: string, fields: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    id,
    msg: 'a message',
    clientId: `client ${id}`,
    timestamp: 1,
    ...fields,
  });
}

/** Returns a valid event of exactly this many bytes. */
export function goodOfBytes(id: string, bytes: number): string {
  const filling = bytes - Buffer.byteLength(good(id, { msg: '' }));
  if (filling < 0) throw new RangeError(`${bytes} bytes are too few`);
  return good(id, { msg: 'x'.repeat(filling) });
}

/** Returns an array of these events. */
export function arrayOf(texts: readonly string[]): string {
  return `[${texts.join(',')}]`;
}

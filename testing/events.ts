/** Events for tests that look at single bytes. */

/** A good event of the built-in schema as text. */
export function good(id: string, fields: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    id,
    msg: 'a message',
    clientId: `client ${id}`,
    timestamp: 1,
    ...fields,
  });
}

/** A good event of exactly this many bytes. */
export function goodOfBytes(id: string, bytes: number): string {
  const filling = bytes - Buffer.byteLength(good(id, { msg: '' }));
  if (filling < 0) throw new RangeError(`${bytes} bytes are too few`);
  return good(id, { msg: 'x'.repeat(filling) });
}

/** An array of these events. */
export function arrayOf(texts: readonly string[]): string {
  return `[${texts.join(',')}]`;
}

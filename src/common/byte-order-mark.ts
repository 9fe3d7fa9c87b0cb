/** Byte order marks: invisible bytes that some editors prepend to a text. */

/** Marks by encoding; UTF-32 precedes UTF-16, whose mark begins with the same bytes. */
const MARKS: readonly (readonly [encoding: string, bytes: readonly number[]])[] = [
  ['UTF-8', [0xef, 0xbb, 0xbf]],
  ['UTF-32', [0xff, 0xfe, 0x00, 0x00]],
  ['UTF-32', [0x00, 0x00, 0xfe, 0xff]],
  ['UTF-16', [0xff, 0xfe]],
  ['UTF-16', [0xfe, 0xff]],
];

/** Describes the mark in `bytes` at `at`; undefined = none. */
export function byteOrderMark(bytes: Buffer, at = 0): string | undefined {
  const found = MARKS.find(([, mark]) => mark.every((byte, index) => bytes[at + index] === byte));
  return found && `a byte order mark (${found[0]})`;
}

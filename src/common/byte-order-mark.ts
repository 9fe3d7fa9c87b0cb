/** Byte order marks: invisible bytes that some editors put in front of a text. */

/** By encoding; UTF-32 stands before UTF-16, which begins with the same bytes. */
const MARKS: readonly (readonly [encoding: string, bytes: readonly number[]])[] = [
  ['UTF-8', [0xef, 0xbb, 0xbf]],
  ['UTF-32', [0xff, 0xfe, 0x00, 0x00]],
  ['UTF-32', [0x00, 0x00, 0xfe, 0xff]],
  ['UTF-16', [0xff, 0xfe]],
  ['UTF-16', [0xfe, 0xff]],
];

/** Words for the mark that `bytes` have at `at`; undefined = there is none. */
export function byteOrderMark(bytes: Buffer, at = 0): string | undefined {
  const found = MARKS.find(([, mark]) => mark.every((byte, index) => bytes[at + index] === byte));
  return found && `a byte order mark (${found[0]})`;
}

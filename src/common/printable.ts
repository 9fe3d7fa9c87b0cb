/**
 * Escaping of untrusted texts for terminals and log viewers: no character may move the cursor, or
 * color or reorder the surrounding text.
 */

/** C0, DEL and C1 controls, line separators, and bidirectional controls. */
const UNPRINTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern finds control characters
  /[\u0000-\u001f\u007f-\u009f\u061c\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
/** The subset that JSON leaves unescaped. */
const UNPRINTABLE_IN_JSON =
  /[\u007f-\u009f\u061c\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Escapes `text` for a line of a terminal: `\n`, `\x1b`, `\u202e`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

/** Escapes JSON for a terminal without changing its value. */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE_IN_JSON, unicode);
}

/** Escapes the strings in JSON for a program that parses and prints them. */
export function printableTextsInJson(json: string): string {
  return json.replace(UNPRINTABLE_IN_JSON, (character) => `\\${unicode(character)}`);
}

/** One character of {@link UNPRINTABLE} in ASCII. */
export function escaped(character: string): string {
  const code = character.charCodeAt(0).toString(16);
  return (
    SHORT[character] ?? (code.length <= 2 ? `\\x${code.padStart(2, '0')}` : unicode(character))
  );
}

function unicode(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

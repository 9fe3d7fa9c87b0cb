/** Texts of sample events: words of several scripts, and characters that JSON escapes. */
import type { SeededRandom } from '../../testing/random.ts';

const PLAIN = (
  'the order item price page view cart search result error retry timeout request response user ' +
  'session checkout payment shipping address button banner product category filter sort next'
).split(' ');
const UNICODE = [
  'Gr\u00f6\u00dfe',
  'na\u00efve',
  'caf\u00e9',
  '\u20ac12',
  '\u6771\u4eac\u90fd',
  '\u6ce8\u6587',
  '\u0437\u0430\u043a\u0430\u0437',
  '\u0645\u0631\u062d\u0628\u0627',
  '\u{1f6d2}',
  '\u{1f469}\u200d\u{1f4bb}',
];
/** Characters that JSON has to escape, or that some serializers escape. */
const ESCAPED = [
  '"quoted"',
  'C:\\temp\\log',
  'line\nbreak',
  'tab\there',
  'a/b/c',
  '<b>Tom & Co</b>',
  'bell\u0007',
  'end\u2028',
];
/** Names of properties that a schema does not list. */
export const NAMES = ['region', 'shard', 'build', 'gr\u00f6\u00dfe', 'feature flag', 'a/b', 'zone'];

const UNICODE_SHARE = 0.12;
const ESCAPED_SHARE = 0.08;

function word(random: SeededRandom): string {
  const drawn = random.next();
  if (drawn < ESCAPED_SHARE) return random.pick(ESCAPED);
  return random.pick(drawn < ESCAPED_SHARE + UNICODE_SHARE ? UNICODE : PLAIN);
}

/** Returns a text of exactly this many Unicode characters. */
export function text(random: SeededRandom, characters: number): string {
  const found: string[] = [];
  while (found.length < characters) {
    if (found.length > 0) found.push(' ');
    found.push(...word(random));
  }
  return found.slice(0, characters).join('');
}

/**
 * Returns a text of exactly `length` units.
 * @param measure returns the units of a text; at least one for each character, 1 for a letter
 */
export function textOfLength(
  random: SeededRandom,
  length: number,
  measure: (text: string) => number,
): string {
  let [found, used] = ['', 0];
  for (;;) {
    const next = `${word(random)} `;
    const units = measure(next);
    if (used + units > length) return found + 'x'.repeat(length - used);
    found += next;
    used += units;
  }
}

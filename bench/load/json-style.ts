/** Styles in which senders write JSON: white space, escapes and numbers. */
import type { SeededRandom } from '../../testing/random.ts';
import type { Json } from './json-schema.ts';

export interface Style {
  readonly comma: string;
  readonly colon: string;
  /** White space before a line of a level; undefined = one line. */
  readonly indent: string | undefined;
  readonly newline: string;
  readonly escapes: 'required' | 'ascii' | 'html';
  /** Writes 12.5 as 1.25e+1. */
  readonly exponents: boolean;
}

const ONE_LINE = { comma: ',', colon: ':', indent: undefined, newline: '' };
/** As `json.dumps` of Python. */
const SPACED = { ...ONE_LINE, comma: ', ', colon: ': ' };
const INDENTED = { comma: ',', colon: ': ', newline: '\n' };
const LAYOUTS: readonly (readonly [number, Omit<Style, 'escapes' | 'exponents'>])[] = [
  [0.6, ONE_LINE],
  [0.2, SPACED],
  [0.1, { ...INDENTED, indent: '  ' }],
  [0.05, { ...INDENTED, indent: '\t' }],
  [0.05, { ...INDENTED, indent: '  ', newline: '\r\n' }],
];
const EXPONENTS_SHARE = 0.1;

export function styleOf(random: SeededRandom): Style {
  let left = random.next();
  const layout = LAYOUTS.find(([share]) => {
    left -= share;
    return left < 0;
  })?.[1];
  return {
    ...(layout ?? ONE_LINE),
    escapes: random.pick(['required', 'required', 'ascii', 'html'] as const),
    exponents: random.chance(EXPONENTS_SHARE),
  };
}

/** Writes a value. @param level number of objects and arrays around it */
export function write(value: Json, style: Style, level = 0): string {
  if (typeof value === 'string') return writeString(value, style);
  if (typeof value === 'number') return writeNumber(value, style);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const { colon } = style;
  if (Array.isArray(value)) {
    const items = (value as readonly Json[]).map((item) => write(item, style, level + 1));
    return enclose('[', items, ']', style, level);
  }
  const members = Object.entries(value).map(
    ([name, inner]) => `${writeString(name, style)}${colon}${write(inner, style, level + 1)}`,
  );
  return enclose('{', members, '}', style, level);
}

function enclose(
  open: string,
  parts: readonly string[],
  close: string,
  { comma, indent, newline }: Style,
  level: number,
): string {
  if (parts.length === 0) return open + close;
  if (indent === undefined) return open + parts.join(comma) + close;
  const line = newline + indent.repeat(level + 1);
  return open + line + parts.join(comma + line) + newline + indent.repeat(level) + close;
}

function writeNumber(value: number, { exponents }: Style): string {
  return exponents && !Number.isInteger(value) ? value.toExponential() : JSON.stringify(value);
}

const HTML = /[<>&]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the complement of ASCII
const NOT_ASCII = /[^\x00-\x7f]/g;

function writeString(value: string, { escapes }: Style): string {
  const plain = JSON.stringify(value);
  if (escapes === 'ascii') return plain.replaceAll(NOT_ASCII, escaped);
  return escapes === 'html' ? plain.replaceAll('/', '\\/').replaceAll(HTML, escaped) : plain;
}

/** Returns the escape of one UTF-16 code unit. */
function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

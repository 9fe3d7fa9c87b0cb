/** Regular expressions of a JSON Schema. */
import { isObject } from '../common/json-object.ts';
import { escaped } from '../worker/intake/json-pointer.ts';
import type { Located } from '../worker/intake/schema-shape.ts';

/** A regular expression, and the texts that it is applied to. */
export interface Pattern {
  /** JSON pointer of its keyword. */
  readonly pointer: string;
  readonly source: string;
  /** Maximum characters of a text: longer ones fail before; undefined = any number. */
  readonly maxLength: number | undefined;
  /** Keyword that sets `maxLength`, relative to the schema. */
  readonly limitedBy: string;
}

/** Returns the regular expressions of these schemas. */
export function patternsIn(schemas: readonly Located[]): Pattern[] {
  return schemas.flatMap(([schema, pointer]) => {
    const { pattern, patternProperties, propertyNames } = schema;
    const found: Pattern[] = [];
    if (typeof pattern === 'string') {
      found.push({
        pointer: `${pointer}/pattern`,
        source: pattern,
        maxLength: lengthOf(schema.maxLength),
        limitedBy: 'maxLength',
      });
    }
    const maxLength = isObject(propertyNames) ? lengthOf(propertyNames.maxLength) : undefined;
    for (const source of Object.keys(isObject(patternProperties) ? patternProperties : {})) {
      found.push({
        pointer: `${pointer}/patternProperties/${escaped(source)}`,
        source,
        maxLength,
        limitedBy: 'propertyNames/maxLength',
      });
    }
    return found;
  });
}

function lengthOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

/** Atoms without alternatives or groups: a character, an escape without reference, or a class. */
const ATOM = /(?:\\[^1-9kbB\s]|\\[bB]|\[(?:\\.|[^\]\\])*\]|[^\\[\](){}|*+?^$])/y;
const QUANTIFIER = /(?:[*+?]|\{\d+(?:,\d*)?\})\??/y;
const FIXED_QUANTIFIER = /^\{(\d{1,3})\}$/;

/**
 * Returns whether a regular expression evidently takes time proportional to the text: one that is
 * anchored, has no groups, and repeats one atom at most; or that repeats nothing.
 */
export function isEvidentlyLinear(source: string): boolean {
  const isAnchored = source.startsWith('^');
  let at = isAnchored ? 1 : 0;
  const end = source.endsWith('$') && !source.endsWith('\\$') ? source.length - 1 : source.length;
  let variable = 0;
  while (at < end) {
    ATOM.lastIndex = at;
    const atom = ATOM.exec(source);
    if (atom === null) return false;
    at += atom[0].length;
    if (/^\\[pPu]/.test(atom[0]) && source[at] === '{') at = source.indexOf('}', at) + 1;
    if (at === 0) return false;
    QUANTIFIER.lastIndex = at;
    const quantifier = QUANTIFIER.exec(source);
    if (quantifier === null) continue;
    at += quantifier[0].length;
    if (!FIXED_QUANTIFIER.test(quantifier[0])) variable++;
  }
  return at === end && variable <= (isAnchored ? 1 : 0);
}

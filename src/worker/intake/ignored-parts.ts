/** Parts of a JSON Schema without effect: unknown keywords and unchecked formats. */

import type { JsonObject } from '../../common/json-object.ts';
import { nearest } from '../../common/nearest.ts';
import { ANNOTATIONS } from './annotations.ts';
import { type Compiler, type Draft, draftOf } from './drafts.ts';
import { escaped, shown, targetOf } from './json-pointer.ts';
import { isApplied, schemasIn } from './subschemas.ts';

/** Keywords of some drafts that others ignore. */
const OF_DRAFTS: ReadonlyMap<string, string> = new Map([
  ['$dynamicAnchor', '2020-12'],
  ['$dynamicRef', '2020-12'],
  ['$id', 'draft-06 and later drafts'],
  ['$recursiveAnchor', '2019-09'],
  ['$recursiveRef', '2019-09'],
  ['additionalItems', 'drafts up to 2019-09'],
  ['dependentRequired', '2019-09 and 2020-12'],
  ['dependentSchemas', '2019-09 and 2020-12'],
  ['disallow', 'draft-03'],
  ['divisibleBy', 'draft-03'],
  ['extends', 'draft-03'],
  ['maxContains', '2019-09 and 2020-12'],
  ['minContains', '2019-09 and 2020-12'],
  ['prefixItems', '2020-12'],
  ['unevaluatedItems', '2019-09 and 2020-12'],
  ['unevaluatedProperties', '2019-09 and 2020-12'],
]);
/** Names of vendor extensions. */
const EXTENSION = /^x-/i;
/** Maximum lines logged at startup. */
const LINES_MAX = 100;
/** Maximum characters of a name in a line. */
const NAME_LENGTH_MAX = 100;

interface Found {
  /** JSON pointer in the file. */
  readonly pointer: string;
  readonly problem: string;
}

/**
 * Finds parts without effect in a schema and in every schema within it, used or not.
 * @param compiler the compiler that has compiled the schema
 * @returns a line per part, beginning with its JSON pointer
 */
export function ignoredParts(schema: JsonObject, draft: Draft, compiler: Compiler): string[] {
  const found: Found[] = [];
  /** Targets of `$ref`: parts on the path to one hold schemas, whatever their name. */
  const targets: string[] = [];
  const seen = new Set<object>();
  const waiting: [schema: JsonObject, pointer: string][] = [[schema, '']];
  for (const [inner, pointer] of waiting) {
    if (seen.has(inner)) continue;
    seen.add(inner);
    found.push(...ignoredIn(inner, pointer, draft, compiler));
    for (const held of schemasIn(inner, pointer, compiler)) waiting.push(held);
    const target = targetOf(inner.$ref, schema);
    if (target === undefined) continue;
    targets.push(target[1]);
    waiting.push(target);
  }
  const lines = found
    .filter(({ pointer }) => !targets.some((target) => target.startsWith(`${pointer}/`)))
    .map(({ pointer, problem }) => `${shown(pointer)} ${problem}`);
  if (lines.length <= LINES_MAX) return lines;
  return [...lines.slice(0, LINES_MAX), `and ${lines.length - LINES_MAX} more such parts`];
}

function ignoredIn(schema: JsonObject, pointer: string, draft: Draft, compiler: Compiler): Found[] {
  const found: Found[] = [];
  for (const [name, value] of Object.entries(schema)) {
    const at = `${pointer}/${escaped(name)}`;
    if (!isKnown(name, compiler)) {
      found.push({ pointer: at, problem: unknownKeyword(name, draft, compiler) });
    } else if (name === 'format' && typeof value === 'string' && !(value in compiler.formats)) {
      found.push({ pointer: at, problem: unknownFormat(value, compiler) });
    } else if (name === '$schema' && pointer !== '' && draftOf(value) !== draft) {
      const problem = `is ignored: the whole file is read as ${draft.name}`;
      found.push({ pointer: at, problem });
    }
  }
  return found;
}

function isKnown(name: string, compiler: Compiler): boolean {
  return EXTENSION.test(name) || ANNOTATIONS.has(name) || isApplied(name, compiler);
}

function unknownKeyword(name: string, draft: Draft, compiler: Compiler): string {
  const problem = `is not a keyword of ${draft.name} and is ignored`;
  const owner = OF_DRAFTS.get(name);
  if (owner !== undefined) return `${problem}; it is one of ${owner}`;
  return problem + suggestion(name, [...Object.keys(compiler.RULES.keywords), ...ANNOTATIONS]);
}

function unknownFormat(format: string, compiler: Compiler): string {
  const problem = `names the format ${JSON.stringify(cut(format))}, which is not checked`;
  return problem + suggestion(format, Object.keys(compiler.formats));
}

function suggestion(name: string, known: readonly string[]): string {
  const near = nearest(cut(name), known, ({ length }) => Math.max(1, Math.floor(length / 3)));
  return near === undefined ? '' : `; did you mean ${near}?`;
}

function cut(name: string): string {
  return name.length <= NAME_LENGTH_MAX ? name : `${name.slice(0, NAME_LENGTH_MAX - 1)}…`;
}

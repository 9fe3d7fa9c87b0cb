/**
 * Limit of the work that validating one event takes. Invariant: whatever the schema and the event,
 * the work is proportional to the steps charged here, and a validation ends when they are used up.
 *
 * Validators are compiled to JavaScript. A function call or an iteration takes a step, plus one per
 * {@link CODE_PER_STEP} of its code; so do failed checks, and texts by their length. Otherwise a
 * recursive schema, or alternatives within alternatives, could take time that is exponential in the
 * depth of an event. The count is the same on every machine.
 */
import { createRequire } from 'node:module';
import type { CodeKeywordDefinition, Format, FormatDefinition, KeywordCxt, Options } from 'ajv';
import type { JsonObject } from '../../common/json-object.ts';
import { SCHEMA_LIMITS } from '../../config/schema-limits.ts';

/** Loaded with configured schemas only; see drafts.ts. */
const require = createRequire(import.meta.url);

/** Characters of generated code that take about as long as one step. */
const CODE_PER_STEP = 384;
/** Steps of a failed check, which creates an error. */
const ERROR_STEPS = 4;
/** Logarithm of the characters of a text that take about as long as one step. */
const TEXT_SHIFT = 4;
/** Same for a text whose format takes time that grows with the square of its length. */
const SQUARE_SHIFT = 12;
const SQUARE_FORMATS: ReadonlySet<string> = new Set(['url']);
/** Steps while no event is validated: a schema is, and its size has a limit. */
const UNLIMITED = 2 ** 30;
/** Items of an array that are compared with each other, which is faster for a few. */
const COMPARED_ITEMS = 16;
/** Length of an `enum` from which ajv compares one value after the other. */
const LONG_ENUM = 200;

/** An event takes more work to validate than the limit. */
export class WorkExceeded extends Error {}

/** Steps left for the event that is being validated; one event at a time. */
export class WorkLimit {
  left = UNLIMITED;
  #codeChars = 0;

  /** Begins an event. */
  begin(): void {
    this.left = SCHEMA_LIMITS.steps;
  }

  /** Counts generated code. @throws Error if it is too long */
  addCode(chars: number): void {
    this.#codeChars += chars;
    const { codeChars: max } = SCHEMA_LIMITS;
    if (this.#codeChars > max) throw new Error(`its code is longer than ${max} characters`);
  }

  /** @throws WorkExceeded if no steps are left */
  charge(steps: number): void {
    this.left -= steps;
    if (this.left < 0) this.exceed();
  }

  /** @throws WorkExceeded always */
  exceed(): never {
    throw new WorkExceeded('takes too much work to validate');
  }
}

/** The parts of a compiler that are limited. */
interface LimitedCompiler {
  readonly RULES: { readonly all: Readonly<Record<string, unknown>> };
  readonly formats: Record<string, unknown>;
}

/** Options of a compiler whose validators are limited by `work`. */
export function limitedCode(work: WorkLimit): NonNullable<Options['code']> {
  const createRegExp = (pattern: string, flags: string) => {
    const regExp = new RegExp(pattern, flags);
    const test = (text: string) => {
      work.charge(1 + (text.length >> TEXT_SHIFT));
      return regExp.test(text);
    };
    return { test, toString: () => regExp.toString() };
  };
  // ajv's types require the name of the function in stand-alone code, which is not generated.
  const regExp = Object.assign(createRegExp, { code: 'new RegExp' });
  const process = (code: string) => {
    work.addCode(code.length);
    return metered(code);
  };
  // The generated code finds the limit here, by its compiler.
  return { process: Object.assign(process, { work }), regExp };
}

/** Limits the keywords and formats of `compiler` whose work depends on their value. */
export function limitKeywords(compiler: LimitedCompiler, work: WorkLimit): void {
  const { _ } = require('ajv') as typeof import('ajv');
  const { default: ucs2length } =
    require('ajv/dist/runtime/ucs2length') as typeof import('ajv/dist/runtime/ucs2length.js');
  const lengthOf = (text: string) => {
    work.charge(text.length >> TEXT_SHIFT);
    return ucs2length(text);
  };
  for (const [keyword, isWrong] of [
    ['maxLength', (length: number, limit: number) => length > limit],
    ['minLength', (length: number, limit: number) => length < limit],
  ] as const) {
    const fails = (text: string, limit: number) => isWrong(lengthOf(text), limit);
    definitionOf(compiler, keyword).code = (context) => {
      const { gen, data, schemaCode } = context;
      const name = gen.scopeValue('func', { ref: fails });
      context.fail(_`${name}(${data}, ${schemaCode})`);
    };
  }
  const duplicates = (items: readonly unknown[]) => duplicatesOf(items, work);
  definitionOf(compiler, 'uniqueItems').code = (context) => {
    const { gen, data, schema } = context;
    if (schema !== true) return;
    const find = gen.scopeValue('func', { ref: duplicates });
    const found = gen.const('found', _`${find}(${data})`);
    context.setParams({ i: _`${found}[0]`, j: _`${found}[1]` });
    context.fail(_`${found} !== undefined`);
  };
  const list = definitionOf(compiler, 'enum');
  const codeOfList = list.code;
  list.code = (context, ruleType) => {
    const { gen, data } = context;
    const values = context.schema as readonly unknown[];
    if (values.length < LONG_ENUM || values.some(isStructure)) return codeOfList(context, ruleType);
    const set = gen.scopeValue('obj', { ref: new Set(values) });
    context.pass(_`${set}.has(${data})`);
  };
  for (const [name, format] of Object.entries(compiler.formats)) {
    compiler.formats[name] = limitedFormat(name, format as Format, work);
  }
}

type Definition = { code: (context: KeywordCxt, ruleType?: string) => void };

/** The definition of a keyword, which belongs to this compiler only. */
function definitionOf({ RULES }: LimitedCompiler, keyword: string): Definition {
  const { definition } = RULES.all[keyword] as { definition: CodeKeywordDefinition };
  return definition;
}

function limitedFormat(name: string, format: Format, work: WorkLimit): Format {
  const isSquare = SQUARE_FORMATS.has(name);
  const limited = (test: (text: string) => boolean) => (text: string) => {
    const { length } = text;
    work.charge(isSquare ? (length * length) / 2 ** SQUARE_SHIFT : length >> TEXT_SHIFT);
    return test(text);
  };
  if (format instanceof RegExp) return limited((text) => format.test(text));
  if (typeof format === 'function') return limited(format);
  if (typeof format !== 'object' || format.type === 'number' || format.async) return format;
  const { validate } = format as FormatDefinition<string>;
  if (typeof validate === 'string') return format;
  const test = validate instanceof RegExp ? (text: string) => validate.test(text) : validate;
  return { ...(format as FormatDefinition<string>), validate: limited(test) };
}

/** Tokens of generated code that matter here, texts first: they may contain the others. */
const TOKEN = new RegExp(
  [
    /"(?:[^"\\]|\\.)*"/,
    /function validate\d+\(data, \{[^{}]*(?:\{\})?\}=\{\}\)\{/,
    /\bfor\((?:"(?:[^"\\]|\\.)*"|[^"{}])*?\)\{/,
    /\berrors\+\+;/,
    /[{}]/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
);

/**
 * Returns the code of a validator with a charge in each function and loop, and after each error.
 * @param code as ajv generates it; `self` is its compiler
 */
function metered(code: string): string {
  const insertions: { readonly at: number; steps: number }[] = [];
  /** Open braces; undefined = of neither function nor loop. */
  const open: ((typeof insertions)[number] | undefined)[] = [];
  for (const { 0: token, index } of code.matchAll(TOKEN)) {
    const at = index + token.length;
    if (token === '}') {
      const insertion = open.pop();
      if (insertion !== undefined)
        insertion.steps += Math.floor((at - insertion.at) / CODE_PER_STEP);
    } else if (token.startsWith('errors')) insertions.push({ at, steps: ERROR_STEPS });
    else if (token === '{') open.push(undefined);
    else if (!token.startsWith('"')) {
      const insertion = { at, steps: 1 };
      insertions.push(insertion);
      open.push(insertion);
    }
  }
  let from = 0;
  let text = 'const work = self.opts.code.process.work;';
  for (const { at, steps } of insertions) {
    text += `${code.slice(from, at)}if((work.left-=${steps})<0)work.exceed();`;
    from = at;
  }
  return text + code.slice(from);
}

/**
 * Returns the indexes of two equal items, as ajv does: the last item that repeats another one, and
 * the closest one before it; undefined = all differ. Takes time proportional to the items.
 */
function duplicatesOf(
  items: readonly unknown[],
  work: WorkLimit,
): readonly [later: number, earlier: number] | undefined {
  const { length } = items;
  work.charge(length);
  let compared = length <= COMPARED_ITEMS;
  for (let index = 0; index < length && compared; index++) compared = !isStructure(items[index]);
  if (compared) {
    for (let later = length - 1; later > 0; later--) {
      const earlier = items.lastIndexOf(items[later], later - 1);
      if (earlier >= 0) return [later, earlier];
    }
    return undefined;
  }
  let found: readonly [number, number] | undefined;
  const scalars = new Map<unknown, number>();
  const structures = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    let earlier: number | undefined;
    if (isStructure(item)) {
      const text = canonicalText(item);
      work.charge(text.length >> TEXT_SHIFT);
      earlier = structures.get(text);
      structures.set(text, index);
    } else {
      earlier = scalars.get(item);
      scalars.set(item, index);
    }
    if (earlier !== undefined) found = [index, earlier];
  }
  return found;
}

/** Returns a text that is equal for equal values, whatever the order of their properties. */
function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join()}]`;
  if (isStructure(value)) {
    const names = Object.keys(value).sort();
    const members = names.map((name) => `${JSON.stringify(name)}:${canonicalText(value[name])}`);
    return `{${members.join()}}`;
  }
  // JSON has no Infinity, but the value of 1e400 is.
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

function isStructure(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null;
}

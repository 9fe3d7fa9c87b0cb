/** Turns the errors of ajv into one short message for the sender of an event. */
import type { ErrorObject } from 'ajv';
import { isObject, type JsonObject } from '../../common/json-object.ts';
import { nearest } from '../../common/nearest.ts';
import { escaped, targetOf } from './json-pointer.ts';

/** Maximum characters of a list of values or branches, of one value or name, and of one branch. */
const LIST_LENGTH_MAX = 140;
const NAME_LENGTH_MAX = 60;
const BRANCH_LENGTH_MAX = 100;
/** Keywords that a list of types can violate. */
const LIST_KEYWORDS: ReadonlySet<string> = new Set(['minItems', 'uniqueItems']);
/** Maximum edit distance of a suggested name. */
const EDITS_MAX = 2;
/** Maximum references followed to the content of a branch. */
const REFS_MAX = 8;

/** An error, with a node for each error of inner schemas that led to it. */
export interface Node {
  readonly error: ErrorObject;
  readonly inner: readonly Node[];
}

/**
 * Describes the first error, as `/timestamp must be integer`.
 * @param errors of an event, as listed by ajv: those of inner schemas first
 * @param root the whole schema, against which a `$ref` of a branch is resolved
 */
export function explain(errors: readonly ErrorObject[], root: JsonObject): string {
  const nodes: Node[] = [];
  for (const error of errors) {
    const count = Math.min(innerCount(error, nodes), nodes.length);
    nodes.push({ error, inner: nodes.splice(nodes.length - count) });
  }
  const last = nodes.at(-1);
  return last === undefined ? 'does not match the schema' : describe(last, root);
}

/**
 * Describes the first error in a schema, with its JSON pointer.
 * @param errors of the schema against its metaschema
 */
export function explainSchema(errors: readonly ErrorObject[]): string {
  // A `type` is a name or a list: an error of the names says more than one of the choice.
  const depth = ({ instancePath }: ErrorObject) => instancePath.length;
  const names = errors.filter(({ keyword, data }) => keyword === 'enum' && !Array.isArray(data));
  const [wrongName] = names.sort((a, b) => depth(b) - depth(a));
  if (wrongName === undefined) {
    const ofList = errors.find(({ keyword }) => LIST_KEYWORDS.has(keyword));
    return explain(ofList ? [ofList] : errors, {});
  }
  const { data, params } = wrongName;
  const allowedNames = params.allowedValues as string[];
  const short = String(data).toLowerCase();
  const longer = allowedNames.find((name) => short.length >= 3 && name.startsWith(short));
  const near = longer ?? nearest(short, allowedNames, () => EDITS_MAX);
  return explain([wrongName], {}) + (near === undefined ? '' : `; did you mean ${near}?`);
}

/** Counts the preceding nodes that belong to an error. Each branch stops at its first error. */
function innerCount({ keyword, schema, params, instancePath }: ErrorObject, nodes: Node[]): number {
  switch (keyword) {
    case 'anyOf':
      return (schema as unknown[]).length;
    case 'oneOf': {
      const { passingSchemas: passing } = params as { passingSchemas: [number, number] | null };
      return passing === null ? (schema as unknown[]).length : passing[1] - 1;
    }
    case 'if':
    case 'propertyNames':
      return 1;
    case 'contains': {
      const isOfItem = ({ error }: Node) => error.instancePath.startsWith(`${instancePath}/`);
      return nodes.length - 1 - nodes.findLastIndex((node) => !isOfItem(node));
    }
    default:
      return 0;
  }
}

/** Describes an error, with its location in the event. */
export function describe(node: Node, root: JsonObject): string {
  const { keyword, instancePath, message = keyword, params } = node.error;
  const at = (text: string) => (instancePath === '' ? text : `${instancePath} ${text}`);
  switch (keyword) {
    case 'anyOf':
    case 'oneOf':
      return describeChoice(node, root);
    case 'enum':
      return at(oneOfValues(params.allowedValues));
    case 'const':
      return at(oneOfValues([params.allowedValue]));
    case 'additionalProperties':
      return at(`must NOT have additional property ${named(params.additionalProperty)}`);
    case 'unevaluatedProperties':
      return at(`must NOT have unevaluated property ${named(params.unevaluatedProperty)}`);
    case 'propertyNames': {
      const why = node.inner.map((inner) => describe(inner, root)).join('');
      return at(`must NOT have a property named ${named(params.propertyName)}: ${why}`);
    }
    case 'if':
      return node.inner.map((inner) => describe(inner, root)).join('') || at(message);
    case 'false schema':
      return at('is not allowed');
    case 'type':
      return at(`must be ${[params.type].flat().join(' or ')}`);
    default:
      return at(message);
  }
}

/** Describes an `anyOf` or `oneOf` that no branch matches, or a `oneOf` that several match. */
function describeChoice({ error, inner }: Node, root: JsonObject): string {
  const { keyword, instancePath, data, params, message = keyword } = error;
  const branches = error.schema as readonly unknown[];
  const at = instancePath === '' ? '' : `${instancePath} `;
  const label = (index: number) => `${keyword}/${index}${nameOf(branches[index], root)}`;
  const facts = branches.map((branch) => resolved(branch, root));
  const choices = facts.map(constants);
  const key = isObject(data) ? discriminator(facts, choices, data, error.parentSchema) : undefined;
  if (key?.isMissing) {
    return `${at}must have required property ${named(key.name)} (${allowed(key.values)})`;
  }
  if (key) return `${instancePath}/${escaped(cut(key.name))} ${oneOfValues(key.values)}`;
  const passing = params.passingSchemas as readonly [number, number] | null | undefined;
  if (passing) return `${at}${message}, but matches ${passing.map(label).join(' and ')}`;
  const values = facts.map(valuesOf);
  if (values.every((list) => list !== undefined)) return at + oneOfValues(values.flat());
  // With an error per branch, in their order; otherwise errors cannot be assigned to branches.
  if (inner.length !== branches.length) return at + message;
  const texts = inner.map((node, index) => {
    return cut(`${label(index)}: ${describe(node, root)}`, BRANCH_LENGTH_MAX);
  });
  const chosen = texts.filter((_, index) => isObject(data) && isChosen(choices[index]!, data));
  return `${at}${message} (${listed(chosen.length > 0 ? chosen : texts, '; ', 'branches')})`;
}

/** Returns the indexes of the branches whose constants the event has, as far as it has them. */
export function chosenBranches(
  branches: readonly unknown[],
  data: unknown,
  root: JsonObject,
): number[] {
  if (!isObject(data)) return [];
  const choices = branches.map((branch) => constants(resolved(branch, root)));
  return choices.flatMap((choice, index) => (isChosen(choice, data) ? [index] : []));
}

/** Returns the content of a branch, following its references. */
function resolved(branch: unknown, root: JsonObject): JsonObject {
  let at = branch;
  for (let count = 0; count < REFS_MAX; count++) {
    const target = isObject(at) ? targetOf(at.$ref, root) : undefined;
    if (target === undefined) break;
    [at] = target;
  }
  return isObject(at) ? at : {};
}

/** Returns the values that a schema lists; undefined = it lists none. */
function valuesOf(schema: unknown): readonly unknown[] | undefined {
  if (!isObject(schema)) return undefined;
  if (Object.hasOwn(schema, 'const')) return [schema.const];
  return Array.isArray(schema.enum) ? schema.enum : undefined;
}

type Constants = ReadonlyMap<string, readonly unknown[]>;

/** Collects the properties of a branch whose values are listed. */
function constants({ properties }: JsonObject): Constants {
  const found = new Map<string, readonly unknown[]>();
  for (const [name, schema] of Object.entries(isObject(properties) ? properties : {})) {
    const values = valuesOf(schema);
    if (values !== undefined) found.set(name, values);
  }
  return found;
}

interface Discriminator {
  readonly name: string;
  readonly values: readonly unknown[];
  readonly isMissing: boolean;
}

/**
 * Finds a property with listed values in each branch that has another value in the event, or is
 * missing there though it is required and distinguishes the branches.
 * @param parent schema with the branches; it may require the property for all of them
 */
function discriminator(
  branches: readonly JsonObject[],
  choices: readonly Constants[],
  data: JsonObject,
  parent: unknown,
): Discriminator | undefined {
  for (const name of choices[0]?.keys() ?? []) {
    const lists = choices.map((choice) => choice.get(name));
    if (!lists.every((list) => list !== undefined)) continue;
    const values = [...new Set(lists.flat())];
    if (Object.hasOwn(data, name)) {
      const isWrong = isScalar(data[name]) && !values.includes(data[name]);
      if (isWrong) return { name, values, isMissing: false };
      continue;
    }
    const isDistinct = values.some((value) => !lists.every((list) => list.includes(value)));
    const isRequired = requires(parent, name) || branches.every((branch) => requires(branch, name));
    if (isDistinct && isRequired) return { name, values, isMissing: true };
  }
  return undefined;
}

function requires(schema: unknown, name: string): boolean {
  return isObject(schema) && Array.isArray(schema.required) && schema.required.includes(name);
}

/** Whether the event has constants of a branch, and only with listed values. */
function isChosen(branch: Constants, data: JsonObject): boolean {
  const present = [...branch].filter(([name]) => Object.hasOwn(data, name));
  return present.length > 0 && present.every(([name, values]) => values.includes(data[name]));
}

function isScalar(value: unknown): boolean {
  return typeof value !== 'object' || value === null;
}

/** Returns the title of a branch, or the name in its `$ref`, or ''. */
function nameOf(branch: unknown, root: JsonObject): string {
  if (!isObject(branch)) return '';
  const { title } = resolved(branch, root);
  const ref = typeof branch.$ref === 'string' ? branch.$ref.split(/[#/]/).at(-1) : '';
  const name = typeof title === 'string' ? title : ref;
  // A reference into an array has no name.
  return name && !/^\d+$/.test(name) ? ` (${cut(name)})` : '';
}

function oneOfValues(values: readonly unknown[]): string {
  return `must be ${allowed(values)}`;
}

function allowed(values: readonly unknown[]): string {
  const [first] = values;
  if (values.length === 1) return cut(JSON.stringify(first));
  return `one of ${listed(
    values.map((value) => cut(JSON.stringify(value))),
    ', ',
    'values',
  )}`;
}

/** Joins the texts that fit into the maximum length, and adds the total count if some do not. */
function listed(texts: readonly string[], separator: string, noun: string): string {
  let list = '';
  for (const [index, text] of texts.entries()) {
    const longer = index === 0 ? text : `${list}${separator}${text}`;
    if (index > 0 && longer.length > LIST_LENGTH_MAX) {
      return `${list}${separator}… of ${texts.length} ${noun}`;
    }
    list = longer;
  }
  return list;
}

function named(name: unknown): string {
  return `'${cut(String(name))}'`;
}

function cut(text: string, length = NAME_LENGTH_MAX): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

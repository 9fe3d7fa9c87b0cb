/** Validation of a stream file's structure, with messages in plain words. */
import type { ErrorObject } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { isObject } from '../common/json-object.ts';
import { nearest } from '../common/nearest.ts';
import type { Problem } from './problem.ts';
import { STREAM_FILE_SCHEMA } from './stream-file-schema.ts';
import { dotted, type Path, shownText, type YamlDocument } from './yaml-document.ts';

/** Annotations of the schema that this file reads. */
interface Annotated {
  readonly errorMessage?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly anyOf?: readonly Branch[];
}

/** A choice of the schema. */
interface Branch {
  readonly required?: readonly string[];
}

const ajv = new Ajv2020({
  allErrors: true,
  // Errors then contain the failing schema and the value.
  verbose: true,
  ownProperties: true,
  strictTypes: false,
  // A test checks the schema; here it would take most of the time.
  meta: false,
  validateSchema: false,
  logger: false,
});
ajv.addVocabulary(['errorMessage']);
const validate = ajv.compile(STREAM_FILE_SCHEMA);

/** Returns every violation of the schema by the document. */
export function structureProblems(document: YamlDocument): Problem[] {
  if (validate(document.value)) return [];
  return (validate.errors ?? []).flatMap((error) => {
    // The branches of a choice: the choice itself has an error too.
    if (error.schemaPath.includes('/anyOf/')) return [];
    const path = pathOf(error.instancePath, document.value);
    return describe(error, path, document);
  });
}

function describe(error: ErrorObject, path: Path, document: YamlDocument): Problem[] {
  const { keyword, data, params } = error;
  const { errorMessage, properties = {}, anyOf = [] } = error.parentSchema as Annotated;
  const subject = path.length === 0 ? 'the file' : dotted(path);
  // An alias without a value has an error of its own.
  if (data === undefined) return [];
  const atName = (own: Path, message: string) => [{ ...document.ofName(own), message }];
  const atValue = (message: string) => [{ ...document.ofValue(path), message }];
  switch (keyword) {
    case 'additionalProperties': {
      const own = [...path, params.additionalProperty as string];
      return atName(own, unknownProperty(own, Object.keys(properties)));
    }
    case 'required':
      if (Object.hasOwn(data as object, params.missingProperty)) return [];
      return atName(path, `${subject} requires ${params.missingProperty}`);
    case 'propertyNames':
      return [];
    case 'pattern':
      if (error.propertyName === undefined) break;
      return atName(
        [...path, error.propertyName],
        `${dotted([...path, error.propertyName])}: the name ${errorMessage}`,
      );
    case 'type': {
      const expected = errorMessage ?? `must be ${typeNames(params.type as string | string[])}`;
      if (data === null && path.length === 0) return atValue('the file is empty');
      return atValue(
        data === null
          ? `${subject} has no value: it ${expected}`
          : `${subject} ${expected}, not ${shown(data)}${quoteHint(data, params.type)}`,
      );
    }
    case 'anyOf': {
      if (!isObject(data)) break;
      // An alias without a value, as for `required`.
      const isNamed = ({ required = [] }: Branch) =>
        required.some((name) => Object.hasOwn(data, name));
      return anyOf.some(isNamed) ? [] : atValue(`${subject} ${errorMessage}`);
    }
    case 'minItems':
    case 'minProperties':
      return atValue(`${subject} ${errorMessage ?? 'must not be empty'}`);
    case 'maxItems':
    case 'maxProperties':
      return atValue(`${subject} ${errorMessage ?? `has more than ${params.limit} entries`}`);
    case 'uniqueItems': {
      const first = new Map<unknown, number>();
      return (data as unknown[]).flatMap((item, index) => {
        const own = [...path, index];
        const before = first.get(item);
        if (before === undefined) first.set(item, index);
        if (before === undefined) return [];
        const message = `${dotted(own)} repeats ${dotted([...path, before])}`;
        return [{ ...document.ofValue(own), message }];
      });
    }
  }
  return atValue(`${subject} ${errorMessage ?? error.message}, not ${shown(data)}`);
}

/** Describes a property that the format does not have, with the closest one that it has. */
function unknownProperty(path: Path, known: readonly string[]): string {
  const name = String(path.at(-1));
  const near = nearest(name, known, ({ length }) => Math.max(1, Math.floor(length / 3)));
  const hint = near === undefined ? `known: ${known.join(', ')}` : `did you mean ${near}?`;
  return `${dotted(path)}: unknown property; ${hint}`;
}

const TYPES: Readonly<Record<string, string>> = {
  object: 'an object',
  array: 'a list',
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
};

function typeNames(types: string | readonly string[]): string {
  return [types]
    .flat()
    .map((type) => TYPES[type] ?? type)
    .join(' or ');
}

/** Shows a value in a message. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (isObject(value)) return 'an object';
  return typeof value === 'string' ? shownText(value) : String(value);
}

/** Returns the remedy for a value that YAML does not take for text. */
function quoteHint(value: unknown, types: unknown): string {
  const isScalar = typeof value === 'number' || typeof value === 'boolean';
  return isScalar && types === 'string' ? ': put it in quotes' : '';
}

/** Converts a JSON pointer; indexes of lists become numbers. */
function pathOf(pointer: string, root: unknown): Path {
  const path: (string | number)[] = [];
  let value = root;
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (Array.isArray(value)) {
      path.push(Number(name));
      value = value[Number(name)];
    } else {
      path.push(name);
      value = isObject(value) ? value[name] : undefined;
    }
  }
  return path;
}

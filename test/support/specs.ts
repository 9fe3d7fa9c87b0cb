/** docs/openapi.yaml and docs/asyncapi.yaml, parsed, and validation of values by them. */
import { readFileSync } from 'node:fs';
import type { Options, ValidateFunction } from 'ajv';
import { parse } from 'yaml';

export interface Example {
  readonly value: unknown;
  /** Request with this response. */
  readonly 'x-request'?: ExampleRequest;
}

export interface ExampleRequest {
  /** Default: the operation's own. */
  readonly method?: string;
  readonly type?: string;
  readonly encoding?: string;
  readonly origin?: string;
  readonly body?: string;
}

export interface Media {
  readonly schema: object;
  readonly examples?: Readonly<Record<string, Example>>;
}

export interface ApiResponse {
  readonly headers?: Readonly<Record<string, { required?: boolean; schema: object }>>;
  readonly content?: Readonly<Record<string, Media>>;
}

export interface Operation {
  readonly operationId: string;
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, ApiResponse>>;
}

const METHODS = ['get', 'post', 'options'] as const;
export type Method = (typeof METHODS)[number];

export interface PathItem extends Partial<Readonly<Record<Method, Operation>>> {
  readonly servers?: readonly { readonly url: string }[];
}

export interface OpenApi {
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, PathItem>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** The used part of a JSON Schema. */
export interface Schema {
  readonly enum?: readonly string[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, { readonly type?: string }>>;
}

export interface Message {
  readonly contentType?: string;
  readonly payload: object;
  readonly examples: readonly { readonly name: string; readonly payload: unknown }[];
  /** Client frames by the name of the server frame that is the response. */
  readonly 'x-frames'?: Readonly<Record<string, string>>;
}

export interface Close {
  readonly code: number;
  readonly reason?: string;
}

export interface AsyncApi {
  readonly channels: {
    readonly acknowledged: { readonly 'x-closes': readonly Close[] };
  };
  readonly components: {
    readonly messages: Readonly<Record<string, Message>>;
    readonly schemas: Readonly<Record<string, Schema>>;
  };
}

/** Returns a specification with its references. */
export function readSpec(name: 'openapi' | 'asyncapi'): Record<string, unknown> {
  const file = new URL(`../../docs/${name}.yaml`, import.meta.url);
  return parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
}

/** Returns a specification with its references resolved. */
export function openSpec(name: 'openapi'): OpenApi;
export function openSpec(name: 'asyncapi'): AsyncApi;
export function openSpec(name: 'openapi' | 'asyncapi'): unknown {
  const root = readSpec(name);
  return resolved(root, root);
}

function resolved(node: unknown, root: unknown): unknown {
  if (Array.isArray(node)) return node.map((item) => resolved(item, root));
  if (typeof node !== 'object' || node === null) return node;
  const { $ref, ...others } = node as Record<string, unknown>;
  const own = Object.entries(others).map(([name, value]) => [name, resolved(value, root)]);
  if (typeof $ref !== 'string') return Object.fromEntries(own);
  return { ...(resolved(referred($ref, root), root) as object), ...Object.fromEntries(own) };
}

/** @throws Error if the document has no value at that place */
function referred(ref: string, root: unknown): unknown {
  let node = root;
  for (const part of ref.replace(/^#\//, '').split('/')) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    node = (node as Record<string, unknown> | undefined)?.[name];
  }
  if (node === undefined) throw new Error(`${ref} has no target`);
  return node;
}

type AjvClass = new (
  options: Options,
) => {
  compile(schema: object): ValidateFunction;
  errorsText(errors: ValidateFunction['errors']): string;
};

/**
 * Returns a validator of a schema; its result is the error, or undefined. Clients accept unknown
 * fields, tests do not: an object may only have the fields of the schema, unless the schema allows
 * others.
 * @param Compiler ajv of the specification's draft
 */
export function judge(Compiler: AjvClass, schema: object): (value: unknown) => string | undefined {
  const ajv = new Compiler({ strict: false, allErrors: true });
  const validate = ajv.compile(closed(schema) as object);
  return (value) => (validate(value) ? undefined : ajv.errorsText(validate.errors));
}

function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed);
  if (typeof node !== 'object' || node === null) return node;
  const copy = Object.fromEntries(Object.entries(node).map(([name, at]) => [name, closed(at)]));
  if (copy.type === 'object' && copy.properties) copy.additionalProperties ??= false;
  return copy;
}

export interface NamedOperation {
  /** As in `post /events`. */
  readonly name: string;
  readonly path: string;
  readonly method: Method;
  readonly operation: Operation;
}

export function operationsOf({ paths }: OpenApi): NamedOperation[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method];
      return operation ? [{ name: `${method} ${path}`, path, method, operation }] : [];
    }),
  );
}

/** Returns every schema of an OpenAPI document by its place. */
export function schemasOf(node: unknown, place = ''): [place: string, schema: object][] {
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([name, value]: [string, unknown]) => {
    const at = `${place}/${name}`;
    const isSchema = name === 'schema' || place === '/components/schemas';
    return isSchema ? [[at, value as object]] : schemasOf(value, at);
  });
}

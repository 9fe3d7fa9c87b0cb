/** docs/openapi.yaml and docs/asyncapi.yaml as tests read them, and what they say of a value. */
import { readFileSync } from 'node:fs';
import type { Options, ValidateFunction } from 'ajv';
import { parse } from 'yaml';

export interface Example {
  readonly value: unknown;
  /** A request that is answered so. */
  readonly 'x-request'?: ExampleRequest;
}

export interface ExampleRequest {
  /** The operation's own, if none is given. */
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

/** As much of a JSON Schema as is looked at. */
export interface Schema {
  readonly enum?: readonly string[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, { readonly type?: string }>>;
}

export interface Message {
  readonly contentType?: string;
  readonly payload: object;
  readonly examples: readonly { readonly name: string; readonly payload: unknown }[];
  /** By the name of an example of a server's frame: the client's frame that is answered so. */
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

/** A specification as it stands. */
export function readSpec(name: 'openapi' | 'asyncapi'): Record<string, unknown> {
  const file = new URL(`../../docs/${name}.yaml`, import.meta.url);
  return parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
}

/** A specification with what it refers to in the place of each reference. */
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

/** @throws Error when there is nothing at that place of the document */
function referred(ref: string, root: unknown): unknown {
  let node = root;
  for (const part of ref.replace(/^#\//, '').split('/')) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    node = (node as Record<string, unknown> | undefined)?.[name];
  }
  if (node === undefined) throw new Error(`${ref} leads nowhere`);
  return node;
}

type AjvClass = new (
  options: Options,
) => {
  compile(schema: object): ValidateFunction;
  errorsText(errors: ValidateFunction['errors']): string;
};

/**
 * Says what is wrong with a value by a schema, undefined = nothing. Clients take fields that they
 * do not know, a test does not: an object has no field beyond those that the schema names, unless
 * it says that it may.
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

/** Every schema of an OpenAPI document, by its place. */
export function schemasOf(node: unknown, place = ''): [place: string, schema: object][] {
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([name, value]: [string, unknown]) => {
    const at = `${place}/${name}`;
    const isSchema = name === 'schema' || place === '/components/schemas';
    return isSchema ? [[at, value as object]] : schemasOf(value, at);
  });
}

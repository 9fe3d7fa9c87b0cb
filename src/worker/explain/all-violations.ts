/**
 * All violations of a schema by an event. A compiler that reports all errors lists those of inner
 * schemas before the error that they led to; here the generated code also records their number for
 * each alternative.
 */
import { createRequire } from 'node:module';
import type { CodeKeywordDefinition, ErrorObject, KeywordCxt, Name } from 'ajv';
import { boundedMessage } from '../../common/errors.ts';
import type { JsonObject } from '../../common/json-object.ts';
import { EXPLAIN_LIMITS } from '../../config/schema-limits.ts';
import { compileSchema } from '../intake/compile-schema.ts';
import type { Compiler } from '../intake/drafts.ts';
import { chosenBranches, describe, type Node } from '../intake/explain.ts';
import { WorkExceeded } from '../intake/work-limit.ts';

/** Loaded when something is to be explained. */
const require = createRequire(import.meta.url);

/** One violation. */
export interface Violation {
  /** JSON pointer of the violating part of the event; '' = the event. */
  readonly path: string;
  readonly message: string;
  /** Location of the keyword in the schema, as the fragment of a URI. */
  readonly schema: string;
}

/** Violations of an event. */
export interface EventViolations {
  readonly violations: readonly Violation[];
  /** Further violations; absent = none. */
  readonly omitted?: number;
}

/** Finds all violations of an event. */
export type Finder = (event: JsonObject) => EventViolations;

/** Keywords with inner schemas whose errors led to theirs. */
const COMPOSITE = ['anyOf', 'oneOf', 'if', 'contains', 'propertyNames'] as const;

/** Errors of a function as its code counts them. */
interface Trace {
  /** Before the keyword, and when its own error is added. */
  readonly start: number;
  readonly end: number;
  /** Before and after each inner schema, in turn. */
  readonly bounds: readonly number[];
}

/** A node of an error, and how many errors it holds. */
interface TracedNode extends Node {
  readonly inner: readonly TracedNode[];
  readonly size: number;
  /** Errors of each alternative. */
  readonly branches?: readonly (readonly TracedNode[])[];
}

/** Compiles a schema that is known to be usable. */
export function createFinder(text: string): Finder {
  const { validate, work, schema } = compileSchema(text, traceInnerErrors);
  return (event) => {
    try {
      work.begin();
      if (validate(event)) return { violations: [] };
      return bounded(flattened(nodesOf(validate.errors ?? []), schema), schema);
    } catch (error) {
      if (error instanceof RangeError) return single('is nested too deeply to validate');
      if (error instanceof WorkExceeded) return single(error.message);
      throw error;
    }
  };
}

function single(message: string): EventViolations {
  return { violations: [{ path: '', message, schema: '#' }] };
}

function bounded(nodes: readonly TracedNode[], root: JsonObject): EventViolations {
  const { violations: max } = EXPLAIN_LIMITS;
  const violations = nodes.slice(0, max).map((node) => violationOf(node, root));
  return nodes.length > max ? { violations, omitted: nodes.length - max } : { violations };
}

function violationOf(node: TracedNode, root: JsonObject): Violation {
  const { instancePath, schemaPath } = node.error;
  // One error per alternative, as the description expects it.
  const inner = node.branches?.flatMap(([first]) => first ?? []) ?? node.inner;
  const text = describe({ error: node.error, inner }, root);
  const start = `${instancePath} `;
  return {
    path: boundedMessage(instancePath),
    message: boundedMessage(
      instancePath !== '' && text.startsWith(start) ? text.slice(start.length) : text,
    ),
    schema: boundedMessage(schemaPath),
  };
}

/** Replaces the error of a condition, or of a choice with one chosen alternative, by inner ones. */
function flattened(nodes: readonly TracedNode[], root: JsonObject): TracedNode[] {
  return nodes.flatMap((node) => {
    const { error, inner, branches } = node;
    if (error.keyword === 'if' && inner.length > 0) return flattened(inner, root);
    if (branches === undefined || error.params.passingSchemas) return [node];
    const [chosen, ...more] = chosenBranches(error.schema as unknown[], error.data, root);
    const errors = chosen === undefined || more.length > 0 ? undefined : branches[chosen];
    return errors === undefined ? [node] : flattened(errors, root);
  });
}

function nodesOf(errors: readonly ErrorObject[]): TracedNode[] {
  const nodes: TracedNode[] = [];
  for (const error of errors) {
    const trace = error.params.trace as Trace | undefined;
    if (trace === undefined) {
      nodes.push({ error, inner: [], size: 1 });
      continue;
    }
    const { bounds, end } = trace;
    const isEach = error.keyword === 'propertyNames';
    const start = isEach ? (bounds.at(-2) ?? trace.start) : trace.start;
    const inner = removeLast(nodes, end - start);
    const branches = branchesOf(error, inner, trace);
    nodes.push({ error, inner, size: end - start + 1, ...(branches && { branches }) });
  }
  return nodes;
}

/** Removes the last nodes that hold `count` errors. */
function removeLast(nodes: TracedNode[], count: number): TracedNode[] {
  let from = nodes.length;
  for (let left = count; left > 0 && from > 0; ) left -= nodes[--from]!.size;
  return nodes.splice(from);
}

/** Returns the nodes of each alternative; undefined if they are not known. */
function branchesOf(
  { keyword, schema }: ErrorObject,
  inner: readonly TracedNode[],
  { start, bounds }: Trace,
): TracedNode[][] | undefined {
  const isChoice = keyword === 'anyOf' || keyword === 'oneOf';
  if (!isChoice || bounds.length !== 2 * (schema as unknown[]).length) return undefined;
  const branches = (schema as unknown[]).map((): TracedNode[] => []);
  let at = start;
  let index = 0;
  for (const node of inner) {
    while (index < branches.length - 1 && at >= bounds[2 * index + 1]!) index++;
    branches[index]!.push(node);
    at += node.size;
  }
  return branches;
}

/** Makes the code of composite keywords add a {@link Trace} to their errors. */
function traceInnerErrors({ RULES }: Compiler): void {
  const { _ } = require('ajv') as typeof import('ajv');
  const { default: names } =
    require('ajv/dist/compile/names') as typeof import('ajv/dist/compile/names.js');
  const boundsOf = new WeakMap<object, Name>();
  for (const keyword of COMPOSITE) {
    const rule = RULES.all[keyword];
    if (typeof rule !== 'object') continue;
    const definition = rule.definition as CodeKeywordDefinition;
    const { code, error } = definition;
    definition.trackErrors = true;
    definition.code = (context: KeywordCxt, ruleType) => {
      const { gen } = context;
      const bounds = gen.const('bounds', _`[]`);
      boundsOf.set(context, bounds);
      const subschema = context.subschema.bind(context);
      context.subschema = (applied, valid) => {
        gen.code(_`${bounds}.push(${names.errors})`);
        const inner = subschema(applied, valid);
        gen.code(_`${bounds}.push(${names.errors})`);
        return inner;
      };
      code(context, ruleType);
    };
    definition.error = {
      message: error?.message ?? '',
      params: (context) => {
        const given = error?.params ?? _`{}`;
        const params = typeof given === 'function' ? given(context) : given;
        // A copy: a keyword that applies to many names or items adds to the list.
        const bounds = _`${boundsOf.get(context) ?? _`[]`}.slice()`;
        const trace = _`{start: ${context.errsCount}, end: ${names.errors}, bounds: ${bounds}}`;
        return _`{...${params}, trace: ${trace}}`;
      },
    };
  }
}

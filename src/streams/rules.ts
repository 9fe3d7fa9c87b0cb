/**
 * Rules of the stream file that its JSON Schema cannot express: relations between properties, and
 * between the file, the settings and other files. Each rule checks the parts whose types are right,
 * so that an error elsewhere hides nothing.
 */
import { resolve } from 'node:path';
import { isObject, type JsonObject } from '../common/json-object.ts';
import { type Config, requiresAuthentication } from '../config/config.ts';
import { LIMITS } from '../config/limits.ts';
import { originOf } from '../config/setting-kinds.ts';
import { hintOf, internalStreamProblems, type RawEntry } from './internal-streams.ts';
import type { Problem } from './problem.ts';
import { type RegistryProblems, type RegistrySchemas, registryProblems } from './registry-rules.ts';
import { REFUSE } from './stream-file.ts';
import { dotted, type Path, shownName, shownText, type YamlDocument } from './yaml-document.ts';

/** A usable schema file. */
export interface CheckedSchema {
  readonly text: string;
  readonly warnings: readonly string[];
}

/** Settings and functions on which the validity of a stream file depends. */
export interface StreamFileContext {
  /** FOREBAY_KEY_FIELD: the key of streams without a key of their own. */
  readonly keyField: string;
  /** FOREBAY_ID_FIELD: the id of events of streams without `idField`. */
  readonly idField: string;
  /** Whether API keys or a JWKS are configured; see requiresAuthentication(). */
  readonly authenticates: boolean;
  /** FOREBAY_ORIGINS. */
  readonly origins: readonly string[] | undefined;
  /** FOREBAY_MAX_FRAME_BYTES. */
  readonly maxFrameBytes: number;
  /**
   * Compiles the JSON Schema in a file.
   * @returns its content, and warnings
   * @throws Error for an unusable file; its message, and the warnings, continue "the file …"
   */
  readonly checkSchema: (path: string) => CheckedSchema;
  /** Undefined = there is no registry. */
  readonly registrySchema?: RegistrySchemas | undefined;
}

/** Returns the context of a gateway with these settings. */
export function streamFileContext(
  config: Config,
  checkSchema: StreamFileContext['checkSchema'],
  registrySchema?: RegistrySchemas,
): StreamFileContext {
  const { keyField, idField, origins, maxFrameBytes } = config;
  const authenticates = requiresAuthentication(config);
  const schemas = { checkSchema, registrySchema };
  return { keyField, idField, authenticates, origins, maxFrameBytes, ...schemas };
}

/** Result of the rules. */
export interface RuleProblems {
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** Contents of the usable schema files, by absolute path. */
  readonly schemaTexts: ReadonlyMap<string, string>;
  /** See RegistryProblems. */
  readonly registered: RegistryProblems['registered'];
}

/**
 * Applies every rule.
 * @param folder absolute path; relative paths in the file start there
 */
export function ruleProblems(
  document: YamlDocument,
  folder: string,
  context: StreamFileContext,
): RuleProblems {
  const check = new Check(document, folder, context);
  check.routing();
  check.matches();
  check.topics();
  check.schemas();
  check.registeredSchemas();
  check.internalStreams();
  for (const [name, stream] of check.streams) {
    check.name(name);
    check.access(name, stream);
    check.origins(name, stream);
    check.limits(name, stream);
    check.record(name, stream);
  }
  return check;
}

/** Properties that only serve one header. */
const HEADER_OF = { idField: 'event-id', traceField: 'traceparent', ip: 'client-ip' } as const;

/** Properties of `schema` that name a file. */
const SCHEMA_FILES = ['file', 'candidate'] as const;

/** Returns the absolute paths of the schemas that a document names, even if it has errors. */
export function schemaFilesIn(value: unknown, folder: string): Set<string> {
  const schemas = Object.values(objectIn(objectIn(value).streams)).map((stream) =>
    objectIn(objectIn(stream).schema),
  );
  const files = schemas.flatMap((schema) => SCHEMA_FILES.map((property) => schema[property]));
  return new Set(files.filter(isFileName).map((file) => resolve(folder, file)));
}

class Check implements RuleProblems {
  readonly errors: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly schemaTexts = new Map<string, string>();
  registered: RegistryProblems['registered'] = new Map();
  readonly streams: readonly RawEntry[];
  readonly #document: YamlDocument;
  readonly #folder: string;
  readonly #context: StreamFileContext;
  readonly #routing: JsonObject;
  readonly #defaults: JsonObject;

  constructor(document: YamlDocument, folder: string, context: StreamFileContext) {
    this.#document = document;
    this.#folder = folder;
    this.#context = context;
    const root = objectIn(document.value);
    this.#routing = objectIn(root.routing);
    this.#defaults = objectIn(root.defaults);
    this.streams = Object.entries(objectIn(root.streams)).map(
      ([name, stream]) => [name, objectIn(stream)] as const,
    );
  }

  name(name: string): void {
    if (name !== REFUSE) return;
    const path = ['streams', name];
    const message = `${dotted(path)}: the name ${REFUSE} is reserved for routing.unknown`;
    this.errors.push({ ...this.#document.ofName(path), message });
  }

  routing(): void {
    const { field, unknown } = this.#routing;
    const names = this.streams.map(([name]) => name);
    if (typeof unknown === 'string' && unknown !== REFUSE && !names.includes(unknown)) {
      const hint = hintOf(unknown, [...names, REFUSE]);
      this.#error(['routing', 'unknown'], `names no stream: ${shownText(unknown)}${hint}`);
    }
    const isUnused = this.streams.every(([, { match }]) => match === undefined);
    if (field === undefined && unknown !== undefined) {
      this.#warn(['routing', 'unknown'], 'has no effect without routing.field');
    }
    if (field !== undefined && isUnused) {
      this.#warn(['routing', 'field'], 'matches nothing: no stream has `match`');
    }
  }

  /** Each value of the routing field belongs to one stream. */
  matches(): void {
    const owners = new Map<string, Path>();
    for (const [name, { match }] of this.streams) {
      const path = ['streams', name, 'match'];
      if (match !== undefined && this.#routing.field === undefined) {
        const message = `${dotted(path)} requires routing.field`;
        this.errors.push({ ...this.#document.ofName(path), message });
      }
      for (const [index, value] of textsIn(match)) {
        const own = [...path, index];
        const other = owners.get(value);
        if (other === undefined) owners.set(value, own);
        else this.#error(own, `repeats ${dotted(other)}: ${shownText(value)}`);
      }
    }
  }

  /** Several streams may share a topic, but its creation must not depend on their order. */
  topics(): void {
    const first = new Map<string, string>();
    const creators = new Map<string, readonly [name: string, create: string]>();
    for (const [name, { topic, create }] of this.streams) {
      if (typeof topic !== 'string') continue;
      const other = first.get(topic);
      if (other === undefined) first.set(topic, name);
      else this.#warn(['streams', name, 'topic'], `is also the topic of ${shownName(other)}`);
      if (create === undefined) continue;
      const text = canonical(create);
      const [creator, created] = creators.get(topic) ?? [name, text];
      creators.set(topic, [creator, created]);
      if (created === text) continue;
      const message = `differs from streams.${shownName(creator)}.create of the same topic`;
      this.#error(['streams', name, 'create'], message);
    }
  }

  schemas(): void {
    const results = new Map<string, { error: string } | CheckedSchema>();
    for (const [name, { schema }] of this.streams) {
      const properties = objectIn(schema);
      for (const property of SCHEMA_FILES) {
        const file = properties[property];
        if (!isFileName(file)) continue;
        const absolute = resolve(this.#folder, file);
        const result = results.get(absolute) ?? this.#schemaResult(absolute);
        results.set(absolute, result);
        if ('text' in result) this.schemaTexts.set(absolute, result.text);
        const path = ['streams', name, 'schema', property];
        if ('error' in result) this.#error(path, `: ${file} ${result.error}`);
        else for (const warning of result.warnings) this.#warn(path, `: ${file} ${warning}`);
      }
    }
  }

  registeredSchemas(): void {
    const found = registryProblems(this.streams, this.#context.registrySchema);
    this.registered = found.registered;
    for (const [path, text] of found.errors) this.#error(path, text);
    for (const [path, text] of found.warnings) this.#warn(path, text);
  }

  internalStreams(): void {
    const problems = internalStreamProblems(this.streams, this.#defaults, this.#routing);
    for (const [path, text] of problems) this.#error(path, text);
  }

  #schemaResult(path: string): { error: string } | CheckedSchema {
    try {
      return this.#context.checkSchema(path);
    } catch (error) {
      return { error: (error as Error).message };
    }
  }

  access(name: string, { access }: JsonObject): void {
    if (access !== 'keyed' || this.#context.authenticates) return;
    this.#error(
      ['streams', name, 'access'],
      'is keyed, which requires FOREBAY_KEYS_FILE, FOREBAY_JWT_JWKS_FILE or FOREBAY_JWT_JWKS_URL',
    );
  }

  origins(name: string, { origins }: JsonObject): void {
    const all = this.#context.origins;
    const listed = textsIn(origins);
    for (const [index, text] of listed) {
      const path = ['streams', name, 'origins', index];
      const origin = originOf(text);
      if (text === '*' && listed.length === 1) continue;
      if (text === '*') this.#error(path, 'is *, which must stand alone');
      else if (origin === undefined) {
        this.#error(path, `must be an origin such as https://app.example, not ${shownText(text)}`);
      } else if (all !== undefined && !all.includes('*') && !all.includes(origin)) {
        this.#warn(path, 'has no effect: FOREBAY_ORIGINS does not allow this origin');
      }
    }
  }

  /** Times of a batch fit its format, and no property is without effect. */
  record(name: string, stream: JsonObject): void {
    const { timeSpanMs, timePastMs, timeFutureMs } = LIMITS.streamFile;
    const { pastMs = timePastMs, futureMs = timeFutureMs } = objectIn(stream.time);
    const isBound = (ms: unknown): ms is number => typeof ms === 'number' && ms <= timeSpanMs;
    if (isBound(pastMs) && isBound(futureMs) && pastMs + futureMs > timeSpanMs) {
      const sum = `the sum of pastMs and futureMs is ${pastMs + futureMs}`;
      this.#error(['streams', name, 'time'], `: ${sum}, the maximum is ${timeSpanMs}`);
    }
    const headers = textsIn(stream.headers ?? this.#defaults.headers).map(([, text]) => text);
    for (const [property, header] of Object.entries(HEADER_OF)) {
      if (stream[property] === undefined || headers.includes(header)) continue;
      this.#warn(['streams', name, property], `has no effect without the header ${header}`);
    }
  }

  limits(name: string, { limits }: JsonObject): void {
    const { eventBytes } = objectIn(limits);
    const { maxFrameBytes } = this.#context;
    if (typeof eventBytes !== 'number' || eventBytes <= maxFrameBytes) return;
    const message = `has no effect: FOREBAY_MAX_FRAME_BYTES is ${maxFrameBytes}`;
    this.#warn(['streams', name, 'limits', 'eventBytes'], message);
  }

  #error(path: Path, text: string): void {
    this.errors.push(this.#problem(path, text));
  }

  #warn(path: Path, text: string): void {
    this.warnings.push(this.#problem(path, text));
  }

  #problem(path: Path, text: string): Problem {
    const separator = text.startsWith(':') ? '' : ' ';
    return { ...this.#document.ofValue(path), message: `${dotted(path)}${separator}${text}` };
  }
}

function isFileName(file: unknown): file is string {
  return typeof file === 'string' && file !== '';
}

/** Returns the object, or an empty one for anything else. */
function objectIn(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

/** Returns the texts of a list with their indexes. */
function textsIn(value: unknown): (readonly [index: number, text: string])[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((text, index) => (typeof text === 'string' ? [[index, text] as const] : []));
}

/** Text that is equal for equal values, whatever the order of their properties. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).sort()) : inner,
  );
}

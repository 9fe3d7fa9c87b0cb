/**
 * Time that a regular expression can take. JavaScript's engine backtracks: for some expressions the
 * time grows exponentially, or with a power of the length, for texts chosen by a hostile client. An
 * analysis finds such a text, and its real time decides.
 */
import { createRequire } from 'node:module';
import { createContext, runInContext } from 'node:vm';
import type { AttackPattern, Diagnostics, Parameters } from 'recheck';
import { SCHEMA_LIMITS } from '../config/schema-limits.ts';
import { shown } from '../worker/intake/json-pointer.ts';
import { isEvidentlyLinear, type Pattern } from './patterns.ts';

/** Bundled at build time: the package brings a Java archive and native programs. */
const ANALYZER = '../vendor/recheck.cjs';
/** Flags with which ajv compiles every regular expression. */
const FLAGS = 'u';
/** Shortest text that is measured; a text is doubled until it takes too long. */
const LENGTH_MIN = 16;
const SHOWN_CHARS = 60;

const require = createRequire(import.meta.url);

interface Analyzer {
  checkSync(source: string, flags: string, parameters: Parameters): Diagnostics;
}

/**
 * Returns why a regular expression is too slow, for one event of up to `maxChars` characters whose
 * texts all match it as slowly as possible; undefined = it is not.
 * @returns a message that continues "the file …"
 */
export function slownessOf(pattern: Pattern, maxChars: number): string | undefined {
  const { source, pointer, limitedBy } = pattern;
  if (isEvidentlyLinear(source)) return undefined;
  const { checkSync } = require(ANALYZER) as Analyzer;
  const found = checkSync(source, FLAGS, { timeout: SCHEMA_LIMITS.analysisMs });
  if (found.status === 'safe') return undefined;
  const at = `is too expensive: ${shown(pointer)}`;
  if (found.status === 'unknown') {
    const why =
      found.error.kind === 'timeout' ? `within ${SCHEMA_LIMITS.analysisMs} ms` : 'in any way';
    return `${at} cannot be shown to be fast ${why}: simplify ${quoted(source)}`;
  }
  const { attack, complexity } = found;
  const isSlow = (length: number) => {
    const text = textOf(attack, length);
    return takesTooLong(source, text, Math.ceil(maxChars / Math.max(1, text.length)));
  };
  const length = Math.min(pattern.maxLength ?? maxChars, maxChars);
  if (!isSlow(length)) return undefined;
  let fast = 0;
  for (let next = LENGTH_MIN; next < length && !isSlow(next); next *= 2) fast = next;
  const growth =
    complexity.type === 'exponential'
      ? 'exponentially with the length of a text'
      : `with the ${powerOf(complexity.degree)} of the length of a text`;
  const remedy = fast === 0 ? '' : `, or limit texts by ${limitedBy} to ${fast}`;
  return `${at} takes time that grows ${growth} such as ${cut(attack.pattern)}: rewrite ${quoted(source)}${remedy}`;
}

function powerOf(degree: number): string {
  return ['square', 'cube'][degree - 2] ?? `${degree}th power`;
}

/** Returns an attack of about `length` characters. */
function textOf({ pumps, suffix }: AttackPattern, length: number): string {
  const build = (count: number) =>
    pumps
      .map(({ prefix, pump, bias }) => prefix + pump.repeat(Math.max(0, count + bias)))
      .join('') + suffix;
  const fixed = build(0).length;
  const each = pumps.reduce((sum, { pump }) => sum + pump.length, 0);
  return build(Math.max(1, Math.floor((length - fixed) / Math.max(1, each))));
}

/** Whether `count` matches of a text take longer than an event may, even in the fastest run. */
function takesTooLong(source: string, text: string, count: number): boolean {
  const context = createContext({ regExp: new RegExp(source, FLAGS), text, count });
  const { patternMs, patternRuns } = SCHEMA_LIMITS;
  for (let run = 0; run < patternRuns; run++) {
    try {
      runInContext(MATCHES, context, { timeout: patternMs });
      return false;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    }
  }
  return true;
}

const MATCHES = 'for (let index = 0; index < count; index++) regExp.test(text)';

function quoted(source: string): string {
  return cut(JSON.stringify(source));
}

function cut(text: string): string {
  return text.length <= SHOWN_CHARS ? text : `${text.slice(0, SHOWN_CHARS - 1)}…`;
}

/** Rules of strings. */
import type { Automaton, StringPlan } from '../decoder/kernel/plan.ts';
import { accepts, acceptsAll, automatonOf } from './automata/automaton.ts';
import { formatRule } from './automata/formats.ts';
import { TooLarge } from './automata/nfa.ts';
import type { Resolution, Resolver } from './resolution.ts';
import { lengthsOf, type Ruling } from './rulings.ts';
import type { SchemaPlaces, SlowPart } from './schema-places.ts';
import { listedValues } from './types.ts';

/** Maximum of the automata that each read a whole text. */
const AUTOMATA_MAX = 16;

/** Returns the rule of the strings that a resolution accepts. */
export function stringRule(
  { parts, automata: more }: Pick<Resolution, 'parts' | 'automata'>,
  { places, patterns }: Resolver,
): Ruling<StringPlan> {
  const slow: SlowPart[] = [];
  let [min, max] = [0, Number.POSITIVE_INFINITY];
  const automata = new Set<Automaton>(more);
  let texts: string[] | undefined;
  for (const part of parts) {
    const [minLength, maxLength, pattern, format] = [
      'minLength',
      'maxLength',
      'pattern',
      'format',
    ].map((keyword) => places.valueOf(part, keyword));
    if (typeof minLength === 'number') min = Math.max(min, Math.ceil(minLength));
    if (typeof maxLength === 'number') max = Math.min(max, Math.floor(maxLength));
    const add = (keyword: string, found: Automaton | string) => {
      if (typeof found !== 'string') automata.add(found);
      else slow.push({ pointer: `${part.pointer}/${keyword}`, why: found });
    };
    if (typeof pattern === 'string') add('pattern', patterns.automatonOf(pattern));
    if (typeof format === 'string' && isForTexts(format, places)) {
      const rule = formatRule(format);
      for (const automaton of rule?.automata ?? []) add('format', automaton);
      if (rule === undefined) add('format', `${JSON.stringify(format)} is not decided`);
      max = Math.min(max, rule?.max ?? max);
    }
    const values = listedValues(part, places)?.filter((value) => typeof value === 'string');
    if (values !== undefined) texts = texts?.filter((text) => values.includes(text)) ?? values;
  }
  if (slow.length > 0) return { isAccepted: false, slow };
  const needed = [...automata].filter((automaton) => !acceptsAll(automaton));
  if (texts !== undefined) {
    const accepted = [...new Set(texts)].filter((text) => {
      const { length } = [...text];
      return length >= min && length <= max && needed.every((each) => accepts(each, text));
    });
    return accepted.length === 0
      ? { isAccepted: false, slow }
      : { isAccepted: true, rule: { texts: accepted }, slow };
  }
  if (needed.length > AUTOMATA_MAX) {
    const why = `has more than ${AUTOMATA_MAX} patterns and formats`;
    return { isAccepted: false, slow: [{ pointer: parts[0]?.pointer ?? '', why }] };
  }
  if (min > max) return { isAccepted: false, slow };
  const isAny = min === 0 && max === Number.POSITIVE_INFINITY && needed.length === 0;
  if (isAny) return { isAccepted: true, rule: undefined, slow };
  return { isAccepted: true, rule: { ...lengthsOf(min, max), automata: needed }, slow };
}

/** A rule with one automaton. */
export interface TextRule {
  readonly automaton: Automaton;
  readonly min: number;
  readonly max: number;
}

/** Returns the rule of the strings that a resolution accepts; undefined = it has another form. */
export function textRule(resolution: Resolution, resolver: Resolver): TextRule | undefined {
  const ruling = stringRule(resolution, resolver);
  if (!ruling.isAccepted || ruling.rule === undefined) return undefined;
  const { min = 0, max = Number.POSITIVE_INFINITY, texts, automata = [] } = ruling.rule;
  if (automata.length > 1) return undefined;
  try {
    const automaton = texts === undefined ? automata[0] : automatonOf(texts);
    return automaton && { automaton, min, max };
  } catch (error) {
    if (error instanceof TooLarge) return undefined;
    throw error;
  }
}

/** Whether a format exists for this compiler, which ignores all others, and is one of texts. */
function isForTexts(format: string, { compiler }: SchemaPlaces): boolean {
  const definition = compiler.formats[format];
  if (definition === undefined || definition === true) return false;
  const isTyped = typeof definition === 'object' && 'type' in definition;
  return !isTyped || definition.type !== 'number';
}

/** Whether a rule accepts a text; undefined = any. */
export function acceptsText(rule: StringPlan | undefined, text: string): boolean {
  const { min = 0, max = Number.POSITIVE_INFINITY, texts, automata = [] } = rule ?? {};
  const { length } = [...text];
  if (length < min || length > max || texts?.includes(text) === false) return false;
  return automata.every((automaton) => accepts(automaton, text));
}

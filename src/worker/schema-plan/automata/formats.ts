/**
 * Formats of texts as automata. Each accepts a part of what ajv-formats accepts, which covers
 * ordinary values.
 */
import type { Automaton, StringPlan } from '../../decoder/kernel/plan.ts';
import { compilePattern } from './pattern.ts';

const LEAP_YEAR = '(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)';
const DATE = `(?:${[
  '\\d{4}-(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])',
  '\\d{4}-(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)',
  '\\d{4}-02-(?:0[1-9]|1\\d|2[0-8])',
  `${LEAP_YEAR}-02-29`,
].join('|')})`;
const ZONE = '(?:[Zz]|[+\\-](?:[01]\\d|2[0-3])(?::?[0-5]\\d)?)';
/** Without leap seconds. */
const CLOCK = '(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d+)?';
const TIME_SPAN = 'T(?:\\d+H(?:\\d+M)?(?:\\d+S)?|\\d+M(?:\\d+S)?|\\d+S)';
const DATE_SPAN = '(?:\\d+Y(?:\\d+M)?(?:\\d+D)?|\\d+M(?:\\d+D)?|\\d+D)';

const HEX = '[0-9A-Fa-f]';
const PERCENT = `%${HEX}{2}`;
const UNRESERVED = "A-Za-z0-9\\-._~!$&'()*+,;=";
const PATH = `(?:[${UNRESERVED}:@]|${PERCENT})`;
const QUERY = `(?:[${UNRESERVED}:@/?]|${PERCENT})*`;
const SCHEME = '[A-Za-z][A-Za-z0-9+\\-.]*:';
/** The host is a name or an IPv4 address. */
const AUTHORITY = `(?:(?:[${UNRESERVED}:]|${PERCENT})*@)?(?:[${UNRESERVED}]|${PERCENT})*(?::\\d*)?`;
const HIERARCHY = `//${AUTHORITY}(?:/${PATH}*)*|/(?:${PATH}+(?:/${PATH}*)*)?|${PATH}+(?:/${PATH}*)*`;
const SUFFIX = `(?:\\?${QUERY})?(?:#${QUERY})?`;

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const GROUP = `${HEX}{1,4}`;
const IPV6 = [
  `(?:${GROUP}:){7}(?:${GROUP}|:)`,
  ...[1, 2, 3, 4, 5, 6].map((after) => `(?:${GROUP}:){${7 - after}}(?::${GROUP}){1,${after}}`),
  ...[1, 2, 3, 4, 5, 6].map((before) => `(?:${GROUP}:){${before}}:`),
  `:(?:(?::${GROUP}){1,7}|:)`,
].join('|');
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9\\-]*[A-Za-z0-9])?';
const SHORT_LABEL = '[A-Za-z0-9](?:[A-Za-z0-9\\-]{0,61}[A-Za-z0-9])?';
const ATOM = "[A-Za-z0-9!#$%&'*+/=?\\^_`{|}~\\-]+";
const BASE64 = '[A-Za-z0-9+/]';
const TOKEN = '/(?:[^~/]|~0|~1)*';
const FRAGMENT_TOKEN = `/(?:[A-Za-z0-9_\\-.!$&'()*+,;:=@]|${PERCENT}|~0|~1)*`;

/** Patterns of whole texts. */
const PATTERNS: Readonly<Record<string, string>> = {
  date: DATE,
  time: `${CLOCK}${ZONE}`,
  'date-time': `${DATE}[Tt ]${CLOCK}${ZONE}`,
  'iso-time': `${CLOCK}${ZONE}?`,
  'iso-date-time': `${DATE}[Tt ]${CLOCK}${ZONE}?`,
  duration: `P(?:${DATE_SPAN}(?:${TIME_SPAN})?|${TIME_SPAN}|\\d+W)`,
  uri: `${SCHEME}(?:${HIERARCHY})${SUFFIX}`,
  'uri-reference': `(?:${SCHEME})?(?:${HIERARCHY})?${SUFFIX}`,
  url: `https?://(?:[a-z0-9]+(?:-[a-z0-9]+)*\\.)+[a-z]{2,}(?::\\d{2,5})?(?:/[!-~]*)?`,
  email: `${ATOM}(?:\\.${ATOM})*@(?:${LABEL}\\.)+${LABEL}`,
  hostname: `${SHORT_LABEL}(?:\\.${SHORT_LABEL})*\\.?`,
  ipv4: `(?:${OCTET}\\.){3}${OCTET}`,
  ipv6: IPV6,
  uuid: `(?:urn:uuid:)?${HEX}{8}-(?:${HEX}{4}-){3}${HEX}{12}`,
  'json-pointer': `(?:${TOKEN})*`,
  'json-pointer-uri-fragment': `#(?:${FRAGMENT_TOKEN})*`,
  'relative-json-pointer': `(?:0|[1-9]\\d*)(?:#|(?:${TOKEN})*)`,
  byte: `(?:${BASE64}{4})*(?:${BASE64}{2}==|${BASE64}{3}=)?`,
};
/** Maximum lengths that patterns leave open. */
const LENGTHS: Readonly<Record<string, number>> = { hostname: 253 };

const automata = new Map<string, Automaton>();

/** Returns the names of the formats that have a rule. */
export function plannedFormats(): string[] {
  return Object.keys(PATTERNS);
}

/** Returns the rule of a format of texts; undefined = it has none. */
export function formatRule(name: string): StringPlan | undefined {
  if (!Object.hasOwn(PATTERNS, name)) return undefined;
  let automaton = automata.get(name);
  if (automaton === undefined) {
    const compiled = compilePattern(`^(?:${PATTERNS[name]})$`);
    if (typeof compiled === 'string') throw new Error(`the pattern of ${name} ${compiled}`);
    automaton = compiled;
    automata.set(name, automaton);
  }
  return { automata: [automaton], max: LENGTHS[name] };
}

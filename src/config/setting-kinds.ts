/** Kinds of settings: parsing of a variable's text, or the error instead. */
import { domainToASCII } from 'node:url';
import { isLoopback, parseNetwork } from '../common/ip-addresses.ts';
import { brokerAddressHint, parseBrokerAddress } from '../kafka/broker-address.ts';
import type { Redaction } from '../tail/redaction.ts';

export interface Setting<T> {
  /** Environment variable. */
  readonly env: string;
  /** Default in the reference table. */
  readonly defaultText: string;
  readonly defaultValue: () => T;
  readonly unit: string;
  readonly meaning: string;
  readonly secret: boolean;
  /** Withheld from workers. */
  readonly primaryOnly: boolean;
  /** Parses the variable's text; throws an Error whose message starts with "must". */
  readonly parse: (text: string) => T;
}

type ValueOf<S> = S extends Setting<infer T> ? T : never;
/** Values of declared settings, by their names in the code. */
export type ValuesOf<S> = { readonly [K in keyof S]: ValueOf<S[K]> };

/** Kafka's rules for the names of topics. */
export const TOPIC_NAME = {
  pattern: /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/,
  expected: 'a topic name: 1 to 249 letters, digits, . _ -, but neither . nor ..',
} as const;

/** A field of an event, or of an object in it. */
export const FIELD_PATH = {
  pattern: /^[^.]+(\.[^.]+)*$/,
  expected: 'a field name, or field names separated by single dots, such as user.id',
} as const;

interface Options<T> {
  readonly default: T | (() => T);
  readonly defaultText?: string;
  readonly meaning: string;
}

function setting<T>(
  env: string,
  options: Options<T>,
  unit: string,
  parse: (text: string) => T,
  { secret = false, primaryOnly = false } = {},
): Setting<T> {
  const { default: fallback, meaning } = options;
  const defaultValue = typeof fallback === 'function' ? (fallback as () => T) : () => fallback as T;
  const defaultText = options.defaultText ?? String(defaultValue() ?? '');
  return { env, defaultText, defaultValue, unit, meaning, secret, primaryOnly, parse };
}

/** An integer from `min` to `max`, or one of the values in `also`. */
export function integer(
  env: string,
  options: Options<number> & { min: number; max: number; unit?: string; also?: readonly number[] },
): Setting<number> {
  const { min, max, unit = '', also = [] } = options;
  return setting(env, options, unit, (text) => {
    const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if ((value >= min && value <= max) || also.includes(value)) return value;
    const exceptions = also.length > 0 ? `, or ${also.join(' or ')}` : '';
    throw new Error(`must be a whole number from ${min} to ${max}${exceptions}`);
  });
}

/** 1 or 0; also accepts true and false. */
export function flag(env: string, options: Options<boolean>): Setting<boolean> {
  const shown = { ...options, defaultText: options.default ? '1' : '0' };
  return setting(env, shown, '', (text) => {
    if (text === '1' || text === 'true') return true;
    if (text === '0' || text === 'false') return false;
    throw new Error('must be 1 or 0');
  });
}

/** Any text, restricted by `pattern` if given. */
export function text(
  env: string,
  options: Options<string> & { pattern?: RegExp; expected?: string; primaryOnly?: boolean },
): Setting<string> {
  const parse = (value: string) => {
    if (options.pattern === undefined || options.pattern.test(value)) return value;
    throw new Error(`must be ${options.expected}`);
  };
  return setting(env, options, '', parse, options);
}

/** An optional text. */
export function optional(
  env: string,
  options: { meaning: string; secret?: boolean; primaryOnly?: boolean },
): Setting<string | undefined> {
  return setting<string | undefined>(
    env,
    { default: undefined, defaultText: 'none', meaning: options.meaning },
    '',
    (value) => value,
    options,
  );
}

/** One of `values`; optional if it has no default. */
export function choice<const V extends string>(
  env: string,
  options: { values: readonly V[]; default: V; meaning: string; primaryOnly?: boolean },
): Setting<V>;
export function choice<const V extends string>(
  env: string,
  options: { values: readonly V[]; meaning: string },
): Setting<V | undefined>;
export function choice<const V extends string>(
  env: string,
  {
    values,
    default: fallback,
    meaning,
    primaryOnly = false,
  }: { values: readonly V[]; default?: V; meaning: string; primaryOnly?: boolean },
): Setting<V | undefined> {
  const options: Options<V | undefined> = {
    default: fallback,
    defaultText: fallback ?? 'none',
    meaning: `${meaning}: ${values.join(', ')}`,
  };
  const parse = (value: string) => {
    const found = values.find((known) => known === value);
    if (found !== undefined) return found;
    throw new Error(`must be one of ${values.join(', ')}`);
  };
  return setting(env, options, '', parse, { primaryOnly });
}

/** IP addresses and networks in CIDR notation, separated by commas. */
export function networks(env: string, options: { meaning: string }): Setting<readonly string[]> {
  return setting<readonly string[]>(
    env,
    { default: [], defaultText: 'none', meaning: options.meaning },
    '',
    (value) => {
      const list = value.split(',').map((part) => part.trim());
      if (list.every((part) => parseNetwork(part) !== undefined)) return list;
      throw new Error('must be addresses or networks like 10.0.0.0/8 separated by commas');
    },
  );
}

/**
 * Host and port pairs, separated by commas; IPv6 addresses in brackets. Like Kafka's own clients,
 * ignores empty entries and duplicates.
 */
export function addresses(
  env: string,
  options: Options<readonly string[]>,
): Setting<readonly string[]> {
  return setting(env, options, '', (value) => {
    const parts = value.split(',').map((part) => part.trim());
    const list = [...new Set(parts.filter(Boolean))];
    const wrong = list.find((part) => parseBrokerAddress(part) === undefined) ?? '';
    if (wrong === '' && list.length > 0) return list;
    throw new Error(`must be host:port pairs separated by commas${brokerAddressHint(wrong)}`);
  });
}

/** Some of `values`, separated by commas. */
export function choices<const V extends string>(
  env: string,
  { values, default: fallback, meaning }: Options<readonly V[]> & { values: readonly V[] },
): Setting<readonly V[]> {
  const options = { default: fallback, meaning: `${meaning}: ${values.join(', ')}` };
  return setting(env, options, '', (value) =>
    value.split(',').map((part) => {
      const found = values.find((known) => known === part.trim());
      if (found !== undefined) return found;
      throw new Error(`must be some of ${values.join(', ')}, separated by commas`);
    }),
  );
}

/** Origin of a web page as browsers send it: nothing follows host and port. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@*,\s]+$/;

/**
 * Origins as browsers send them, separated by commas, or `*` alone. Rejects `null`: any page can
 * make its browser send that.
 */
export function origins(
  env: string,
  { meaning }: { meaning: string },
): Setting<readonly string[] | undefined> {
  const options = { default: undefined, defaultText: 'none', meaning };
  return setting<readonly string[] | undefined>(env, options, '', (value) => {
    if (value.trim() === '*') return ['*'];
    return value.split(',').map((part) => {
      const origin = originOf(part.trim());
      if (origin !== undefined) return origin;
      throw new Error(
        'must be origins such as https://app.example, separated by commas, or * alone',
      );
    });
  });
}

/** Normalizes an origin to the spelling that browsers send; undefined = `text` is not an origin. */
export function originOf(text: string): string | undefined {
  const origin = text.toLowerCase();
  if (!ORIGIN.test(origin) || !URL.canParse(origin)) return undefined;
  // Drops the default port of the scheme; URL does not parse the schemes of apps.
  return /^https?:/.test(origin) ? new URL(origin).origin : origin;
}

const HOST_NAME = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/;

/**
 * Host names without ports, separated by commas, or `*` alone: normalized to lower case and ASCII
 * without a trailing dot, as browsers send them in `Host`.
 */
export function hostNames(
  env: string,
  { meaning }: { meaning: string },
): Setting<readonly string[]> {
  const options = { default: [], defaultText: 'none', meaning };
  return setting<readonly string[]>(env, options, '', (value) => {
    if (value.trim() === '*') return ['*'];
    return value.split(',').map((part) => {
      const name = domainToASCII(part.trim()).replace(/\.$/, '');
      if (HOST_NAME.test(name)) return name;
      throw new Error('must be host names without ports, separated by commas, or * alone');
    });
  });
}

/** Fields of events as in FIELD_PATH, separated by commas, with `*` for any name; or `all`, `none`. */
export function redaction(env: string, { meaning }: { meaning: string }): Setting<Redaction> {
  const options = { default: 'all' as Redaction, meaning };
  return setting<Redaction>(env, options, '', (value) => {
    if (value === 'all' || value === 'none') return value;
    return value.split(',').map((part) => {
      const path = part.trim();
      if (FIELD_PATH.pattern.test(path) && !KEYWORDS.includes(path)) return path.split('.');
      throw new Error('must be all, none, or fields such as user.email, separated by commas');
    });
  });
}

/** Not fields: a list that contains one would hide less than it seems to. */
const KEYWORDS = ['all', 'none'];

/** URL of a trusted document: https, or http on loopback. */
export function url(env: string, { meaning }: { meaning: string }): Setting<URL | undefined> {
  const options = { default: undefined, defaultText: 'none', meaning };
  return setting<URL | undefined>(env, options, '', (value) => {
    const found = URL.canParse(value) ? new URL(value) : undefined;
    const isSafe =
      found?.protocol === 'https:' || (found?.protocol === 'http:' && isLoopback(found.hostname));
    if (found === undefined || !isSafe || found.username !== '' || found.password !== '') {
      throw new Error('must be an https address without a user name, or http on loopback');
    }
    return found;
  });
}

/** Base URL of a service: http or https, without credentials, query and fragment. */
export function baseUrl(
  env: string,
  options: { meaning: string; primaryOnly?: boolean },
): Setting<URL | undefined> {
  const shown = { default: undefined, defaultText: 'none', meaning: options.meaning };
  const parse = (value: string) => {
    const found = URL.canParse(value) ? new URL(value) : undefined;
    const isPlain =
      found !== undefined &&
      /^https?:$/.test(found.protocol) &&
      [found.username, found.password, found.search, found.hash].every((part) => part === '');
    if (isPlain) return found;
    throw new Error('must be an http or https address without a user name, query and fragment');
  };
  return setting<URL | undefined>(env, shown, '', parse, options);
}

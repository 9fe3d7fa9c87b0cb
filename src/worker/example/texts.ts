/** Generates strings of a format or for a pattern. */
import type { Choices } from './choices.ts';

const UUID = '01890a5d-ac96-774b-bcce-b302099a8057';
/** Constant across workers, so that the page can detect a changed example. */
const TIME = '2026-01-31T12:00:00Z';

const FORMATS: Readonly<Record<string, string>> = {
  'date-time': TIME,
  'iso-date-time': TIME,
  date: TIME.slice(0, 10),
  time: TIME.slice(11),
  'iso-time': TIME.slice(11),
  duration: 'PT1M',
  email: 'user@example.com',
  'idn-email': 'user@example.com',
  hostname: 'host.example.com',
  'idn-hostname': 'host.example.com',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  uri: 'https://example.com/',
  url: 'https://example.com/',
  iri: 'https://example.com/',
  'uri-reference': '/path',
  'iri-reference': '/path',
  'uri-template': '/path/{name}',
  uuid: UUID,
  'json-pointer': '/path',
  'json-pointer-uri-fragment': '#/path',
  'relative-json-pointer': '0',
  regex: '^text$',
  byte: 'dGV4dA==',
};

/** Returns a text of the format; undefined = unknown format. */
export function textOfFormat(format: unknown): string | undefined {
  return typeof format === 'string' && Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
}

/** Candidate characters, common ones first. */
const CHARACTERS = [
  ...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789',
  ...'-_ .,:;/@#+*=!?%&$~^\'"`|\\<>()[]{}\t\nàéñößλжאعあ世한€',
];
/** Maximum repeats of an unbounded quantifier. */
const REPEATS_MAX = 1_024;

type Text = () => string;

/**
 * Returns a text that probably matches: assertions and back references are ignored.
 * @param length preferred length, where quantifiers leave a choice
 * @throws SyntaxError for an invalid pattern
 */
export function textOfPattern(pattern: string, choices: Choices, length: number): string {
  return new PatternReader(pattern, choices, length).read();
}

/** Parses an ECMAScript regular expression into generators of matching text. */
class PatternReader {
  readonly #source: string;
  readonly #choices: Choices;
  readonly #length: number;
  #at = 0;

  constructor(source: string, choices: Choices, length: number) {
    this.#source = source;
    this.#choices = choices;
    this.#length = length;
  }

  read(): string {
    return this.#alternatives()();
  }

  #take(token: RegExp): string | undefined {
    const sticky = new RegExp(token.source, 'uy');
    sticky.lastIndex = this.#at;
    const found = sticky.exec(this.#source)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #alternatives(): Text {
    const options = [this.#sequence()];
    while (this.#take(/\|/) !== undefined) options.push(this.#sequence());
    return () => options[this.#choices.pick(options.length)]!();
  }

  #sequence(): Text {
    const parts: Text[] = [];
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at]!)) {
      parts.push(this.#repeated(this.#atom()));
    }
    return () => parts.map((part) => part()).join('');
  }

  #atom(): Text {
    if (this.#take(/\^|\$|\\[bB]|\\[1-9]\d*|\\k<[^>]*>/) !== undefined) return () => '';
    const group = this.#take(/\((?:\?(?::|<?[=!]|<[^>]*>))?/);
    if (group !== undefined) {
      const inner = this.#alternatives();
      this.#take(/\)/);
      return /[=!]$/.test(group) ? () => '' : inner;
    }
    const kind = this.#take(/\[(?:\\.|[^\]\\])*\]|\.|\\[dDwWsS]|\\[pP]\{[^}]*\}/);
    if (kind !== undefined) return this.#oneOf(kind);
    const literal =
      this.#take(/\\u\{[^}]*\}|\\u[\da-fA-F]{4}|\\x[\da-fA-F]{2}|\\c[A-Za-z]|\\./) ??
      this.#take(/[\s\S]/)!;
    return literal.startsWith('\\') ? this.#oneOf(literal) : () => literal;
  }

  /** Returns a generator of single characters that match a part of the pattern. */
  #oneOf(part: string): Text {
    const found = matching.get(part) ?? charactersOf(part);
    matching.set(part, found);
    return () => found[this.#choices.pick(found.length)] ?? '';
  }

  #repeated(atom: Text): Text {
    const quantifier = this.#take(/(?:[*+?]|\{\d+(?:,\d*)?\})\??/);
    if (quantifier === undefined) return atom;
    const [min, max] = boundsOf(quantifier);
    const longest = Math.min(max, REPEATS_MAX);
    const counts = [Math.max(1, min), min, min + 1, min + 3, this.#length];
    const allowed = counts.filter((count) => count >= min && count <= longest);
    return () => {
      const count = allowed[this.#choices.pick(allowed.length)] ?? min;
      return Array.from({ length: Math.min(count, REPEATS_MAX) }, atom).join('');
    };
  }
}

/** Cache of matching characters by part of a pattern. */
const matching = new Map<string, readonly string[]>();

function charactersOf(part: string): readonly string[] {
  const pattern = new RegExp(`^${part}$`, 'u');
  const usual = CHARACTERS.filter((character) => pattern.test(character));
  if (usual.length > 0) return usual;
  const others = Array.from({ length: 0x3000 }, (_, code) => String.fromCodePoint(code));
  return others.filter((character) => pattern.test(character)).slice(0, 16);
}

function boundsOf(quantifier: string): [min: number, max: number] {
  const [, min, comma, max] = /^\{(\d+)(,?)(\d*)\}/.exec(quantifier) ?? [];
  if (min !== undefined) {
    if (comma === '') return [Number(min), Number(min)];
    return [Number(min), max === '' ? Number.POSITIVE_INFINITY : Number(max)];
  }
  return [quantifier.startsWith('+') ? 1 : 0, quantifier.startsWith('?') ? 1 : 1e9];
}

/** Regular expressions of JavaScript as automata that test whether a text contains a match. */
import { createRequire } from 'node:module';
import type regexpp from '@eslint-community/regexpp';
import type { AST } from '@eslint-community/regexpp';
import type { Automaton } from '../../decoder/kernel/plan.ts';
import { complement, type Range, type Ranges, union, utf8Of } from './code-points.ts';
import { AutomataWork, Nfa, TooLarge } from './nfa.ts';

/** Loads the parser only for schemas with patterns, for a faster start of workers. */
const require = createRequire(import.meta.url);

/** Flags with which ajv compiles every regular expression. */
const FLAGS = 'u';
const LAST_ASCII = 0x7f;
const ANY_BYTE: readonly Range[] = [[0, 0xff]];
const LINE_ENDS: Ranges = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
/** Sets of the escapes `\d`, `\s` and `\w`. */
const SETS: Readonly<Record<string, Ranges>> = {
  digit: [[0x30, 0x39]],
  space: [
    [0x09, 0x0d],
    [0x20, 0x20],
    [0xa0, 0xa0],
    [0x1680, 0x1680],
    [0x2000, 0x200a],
    [0x2028, 0x2029],
    [0x202f, 0x202f],
    [0x205f, 0x205f],
    [0x3000, 0x3000],
    [0xfeff, 0xfeff],
  ],
  word: [
    [0x30, 0x39],
    [0x41, 0x5a],
    [0x5f, 0x5f],
    [0x61, 0x7a],
  ],
};

/** A part of a regular expression that automata do not cover. */
class Unsupported extends Error {}

/**
 * Compiles a regular expression, with the flag `u`. The automaton accepts no text that the
 * expression rejects; it may reject texts with characters beyond ASCII that it accepts.
 * @param work left for the patterns of the schema
 * @returns the reason, as in "uses lookahead", if there is no such automaton
 */
export function compilePattern(source: string, work = new AutomataWork()): Automaton | string {
  try {
    const { RegExpParser } = require('@eslint-community/regexpp') as typeof regexpp;
    const pattern = new RegExpParser().parsePattern(source, 0, source.length, { unicode: true });
    return new PatternCompiler(work).compile(pattern);
  } catch (error) {
    if (error instanceof Unsupported) return error.message;
    if (error instanceof TooLarge) {
      return work.left > 0 ? 'has too many states' : 'has too many states, with all other patterns';
    }
    if (error instanceof SyntaxError) return 'is not a regular expression';
    throw error;
  }
}

/** Automata of the regular expressions of a schema, each compiled once. */
export class PatternCache {
  readonly #compiled = new Map<string, Automaton | string>();
  readonly #work = new AutomataWork();

  /** Returns what {@link compilePattern} does. */
  automatonOf(source: string): Automaton | string {
    const compiled = this.#compiled.get(source) ?? compilePattern(source, this.#work);
    this.#compiled.set(source, compiled);
    return compiled;
  }
}

class PatternCompiler {
  readonly #nfa: Nfa;

  constructor(work: AutomataWork) {
    this.#nfa = new Nfa(work);
  }

  compile({ alternatives }: AST.Pattern): Automaton {
    const nfa = this.#nfa;
    const isAnchored = alternatives.every(({ elements: [first] }) => isStart(first));
    const begin = nfa.add();
    nfa.connect(nfa.start, begin);
    // A match may begin anywhere.
    if (!isAnchored) nfa.read(nfa.start, nfa.start, [ANY_BYTE]);
    nfa.connect(this.#alternatives(alternatives, begin), nfa.end);
    return nfa.determinize();
  }

  /** @returns the state after any of the alternatives, which all begin at `from` */
  #alternatives(alternatives: readonly AST.Alternative[], from: number): number {
    const to = this.#nfa.add();
    for (const { elements } of alternatives) {
      let at = this.#next(from);
      for (const element of elements) at = this.#element(element, at);
      this.#nfa.connect(at, to);
    }
    return to;
  }

  /** Returns a new state after `from`. */
  #next(from: number, when?: 'atStart' | 'atEnd'): number {
    const next = this.#nfa.add();
    this.#nfa.connect(from, next, when);
    return next;
  }

  /** @returns the state after the element */
  #element(element: AST.Element, from: number): number {
    switch (element.type) {
      case 'Character':
      case 'CharacterSet':
      case 'CharacterClass': {
        const to = this.#nfa.add();
        this.#nfa.read(from, to, utf8Of(codePointsOf(element)));
        return to;
      }
      case 'Group':
        if (element.modifiers !== null) throw new Unsupported('uses modifiers');
        return this.#alternatives(element.alternatives, from);
      case 'CapturingGroup':
        return this.#alternatives(element.alternatives, from);
      case 'Quantifier':
        return this.#repeated(element, from);
      case 'Assertion':
        if (element.kind === 'start') return this.#next(from, 'atStart');
        if (element.kind === 'end') return this.#next(from, 'atEnd');
        throw new Unsupported(`uses ${element.kind === 'word' ? 'word boundaries' : element.kind}`);
      case 'Backreference':
        throw new Unsupported('uses back references');
      default:
        throw new Unsupported('uses a class of several characters');
    }
  }

  #repeated({ element, min, max }: AST.Quantifier, from: number): number {
    let at = from;
    for (let count = 0; count < min; count++) at = this.#element(element, at);
    if (max === Number.POSITIVE_INFINITY) {
      const loop = this.#next(at);
      this.#nfa.connect(this.#element(element, loop), loop);
      return this.#next(loop);
    }
    const to = this.#next(at);
    for (let count = min; count < max; count++) {
      at = this.#element(element, at);
      this.#nfa.connect(at, to);
    }
    return to;
  }
}

function isStart(element: AST.Element | undefined): boolean {
  return element?.type === 'Assertion' && element.kind === 'start';
}

type OneCharacter = AST.Character | AST.CharacterClassRange | AST.CharacterSet | AST.CharacterClass;

/** Returns the code points that an element matches; those beyond ASCII may be missing. */
function codePointsOf(element: AST.Character | AST.CharacterSet | AST.CharacterClass): Ranges {
  return exactly(element) ?? inAscii(element.raw);
}

/** Returns the code points that an element matches; undefined = it uses a Unicode property. */
function exactly(element: OneCharacter): Ranges | undefined {
  switch (element.type) {
    case 'Character':
      return [[element.value, element.value]];
    case 'CharacterClassRange':
      return [[element.min.value, element.max.value]];
    case 'CharacterSet': {
      if (element.kind === 'any') return complement(LINE_ENDS);
      const set = SETS[element.kind];
      return element.kind !== 'property' && element.negate && set ? complement(set) : set;
    }
    case 'CharacterClass': {
      const sets = element.elements.map((each) => exactly(each as OneCharacter));
      if (sets.includes(undefined)) return undefined;
      const all = union(sets.flatMap((set) => set ?? []));
      return element.negate ? complement(all) : all;
    }
  }
}

/** @param atom source of a class or an escape */
function inAscii(atom: string): Ranges {
  const regExp = new RegExp(`^${atom}$`, FLAGS);
  const codes = Array.from({ length: LAST_ASCII + 1 }, (_, code) => code);
  const matching = codes.filter((code) => regExp.test(String.fromCodePoint(code)));
  return union(matching.map((code) => [code, code] as const));
}

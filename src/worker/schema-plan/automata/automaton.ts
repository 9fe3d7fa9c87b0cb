/** Operations on automata. */
import type { Automaton } from '../../decoder/kernel/plan.ts';
import type { ByteRanges } from './code-points.ts';
import { Nfa, TooLarge } from './nfa.ts';

const BYTES = 256;
const STATES_MAX = 4_096;

/** Whether a text has no lone surrogates, which have no UTF-8. */
export function isWellFormed(text: string): boolean {
  return Buffer.from(text).toString() === text;
}

/** Whether an automaton accepts a text; a text with lone surrogates is not accepted. */
export function accepts(automaton: Automaton, text: string): boolean {
  if (!isWellFormed(text)) return false;
  const { start, classes, classCount, accepting, transitions } = automaton;
  let state = start;
  for (const byte of Buffer.from(text)) {
    state = transitions[state * classCount + classes[byte]!]!;
  }
  return accepting[state] === 1;
}

/** Whether an automaton evidently accepts every text. */
export function acceptsAll({ start, classCount, accepting, transitions }: Automaton): boolean {
  if (accepting[start] !== 1) return false;
  const from = start * classCount;
  return transitions.subarray(from, from + classCount).every((next) => next === start);
}

/**
 * Returns the automaton of a list of texts.
 * @throws TooLarge
 */
export function automatonOf(texts: readonly string[]): Automaton {
  const nfa = new Nfa();
  const last = nfa.add();
  nfa.connect(last, nfa.end, 'atEnd');
  for (const text of texts) {
    if (!isWellFormed(text)) continue;
    const bytes: ByteRanges = [...Buffer.from(text)].map((byte) => [byte, byte] as const);
    if (bytes.length === 0) nfa.connect(nfa.start, last);
    else nfa.read(nfa.start, last, [bytes]);
  }
  return nfa.determinize();
}

/**
 * Returns the automaton of the texts that at least one of two accepts.
 * @throws TooLarge
 */
export function eitherOf(one: Automaton, other: Automaton): Automaton {
  const pairsOfClasses = new Map<number, number>();
  const classes = new Uint8Array(BYTES);
  for (let byte = 0; byte < BYTES; byte++) {
    const pair = one.classes[byte]! * BYTES + other.classes[byte]!;
    const known = pairsOfClasses.get(pair) ?? pairsOfClasses.size;
    pairsOfClasses.set(pair, known);
    classes[byte] = known;
  }
  const numbers = new Map<number, number>([[0, 0]]);
  const pairs: number[] = [0];
  const width = other.accepting.length;
  const numberOf = (first: number, second: number): number => {
    const pair = first * width + second;
    const known = numbers.get(pair);
    if (known !== undefined) return known;
    if (pairs.length >= STATES_MAX) throw new TooLarge();
    numbers.set(pair, pairs.length);
    return pairs.push(pair) - 1;
  };
  const start = numberOf(one.start, other.start);
  const transitions: number[] = [];
  const accepting: number[] = [];
  for (let state = 0; state < pairs.length; state++) {
    const [first, second] = [Math.floor(pairs[state]! / width), pairs[state]! % width];
    accepting.push(one.accepting[first]! | other.accepting[second]!);
    for (const pair of pairsOfClasses.keys()) {
      const [ofOne, ofOther] = [Math.floor(pair / BYTES), pair % BYTES];
      const next = one.transitions[first * one.classCount + ofOne]!;
      transitions.push(numberOf(next, other.transitions[second * other.classCount + ofOther]!));
    }
  }
  return {
    start,
    classes,
    classCount: pairsOfClasses.size,
    accepting: Uint8Array.from(accepting),
    transitions: Uint16Array.from(transitions),
  };
}

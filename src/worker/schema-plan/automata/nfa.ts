/**
 * Nondeterministic finite automata over bytes, and their conversion to deterministic ones by sets
 * of states.
 */
import type { Automaton } from '../../decoder/kernel/plan.ts';
import type { ByteRanges } from './code-points.ts';

const BYTES = 256;
/** Limits of an automaton: states while it is built, and of the result; bytes of transitions. */
const NFA_STATES_MAX = 10_000;
const STATES_MAX = 4_096;
const TRANSITIONS_MAX = 128 * 1024;

/** States and edges visited to build the result: a fraction of a second. */
const WORK_MAX = 500_000;
/** Same for all patterns of a schema: a worker reads it between two frames. */
const WORK_OF_SCHEMA_MAX = 4 * WORK_MAX;

/** A pattern needs more states than the limit. */
export class TooLarge extends Error {}

/** Work left for automata that are built one after the other. */
export class AutomataWork {
  left = WORK_OF_SCHEMA_MAX;
}

interface Edge {
  readonly from: number;
  readonly to: number;
  readonly target: number;
}

/** States of an edge without a byte. */
interface State {
  readonly edges: Edge[];
  readonly free: number[];
  /** Only at the start of a text, or only at its end. */
  readonly atStart: number[];
  readonly atEnd: number[];
}

export class Nfa {
  readonly #states: State[] = [];
  /** Visits left for this automaton, and for all of the same schema. */
  #visits = WORK_MAX;
  readonly #work: AutomataWork;
  readonly start = this.add();
  /** Accepts; texts may continue after it unless an edge at the end leads there. */
  readonly end = this.add();

  constructor(work = new AutomataWork()) {
    this.#work = work;
  }

  /** Returns a new state. @throws TooLarge */
  add(): number {
    if (this.#states.length >= NFA_STATES_MAX) throw new TooLarge();
    return this.#states.push({ edges: [], free: [], atStart: [], atEnd: [] }) - 1;
  }

  /** Connects two states without a byte: always, or only at the start or the end of a text. */
  connect(from: number, to: number, when: 'free' | 'atStart' | 'atEnd' = 'free'): void {
    this.#states[from]![when].push(to);
  }

  /** Connects two states by sequences of bytes. */
  read(from: number, to: number, sequences: readonly ByteRanges[]): void {
    /** States from which the rest of a sequence follows. */
    const before = new Map([['', to]]);
    const stateBefore = (rest: ByteRanges): number => {
      const key = rest.join(' ');
      const state = before.get(key) ?? this.add();
      if (!before.has(key)) this.#step(state, rest, stateBefore);
      before.set(key, state);
      return state;
    };
    for (const sequence of sequences) this.#step(from, sequence, stateBefore);
  }

  #step(
    state: number,
    [range, ...rest]: ByteRanges,
    stateBefore: (rest: ByteRanges) => number,
  ): void {
    const [from, to] = range!;
    this.#states[state]!.edges.push({ from, to, target: stateBefore(rest) });
  }

  /**
   * Returns an equivalent automaton.
   * @throws TooLarge
   */
  determinize(): Automaton {
    const { classes, firsts } = this.#classes();
    const numbers = new Map<string, number>();
    const sets: (readonly number[])[] = [[]];
    numbers.set('', 0);
    const numberOf = (states: ReadonlySet<number>): number => {
      // After it, everything is accepted.
      const set = states.has(this.end) ? [this.end] : [...states].sort((one, other) => one - other);
      const key = set.join();
      const known = numbers.get(key);
      if (known !== undefined) return known;
      if (sets.length >= STATES_MAX || sets.length * firsts.length * 2 > TRANSITIONS_MAX) {
        throw new TooLarge();
      }
      numbers.set(key, sets.length);
      return sets.push(set) - 1;
    };
    const start = numberOf(this.#closure([this.start], true));
    const transitions: number[] = firsts.map(() => 0);
    for (let state = 1; state < sets.length; state++) {
      const set = sets[state]!;
      for (const byte of firsts) {
        if (set[0] === this.end) transitions.push(state);
        else transitions.push(numberOf(this.#closure(this.#after(set, byte), false)));
      }
    }
    return {
      start,
      classes,
      classCount: firsts.length,
      accepting: Uint8Array.from(sets, (set) => (this.#accepts(set) ? 1 : 0)),
      transitions: Uint16Array.from(transitions),
    };
  }

  #after(set: readonly number[], byte: number): number[] {
    const after: number[] = [];
    for (const state of set) {
      const { edges } = this.#states[state]!;
      this.#visit(1 + edges.length);
      for (const { from, to, target } of edges) if (from <= byte && byte <= to) after.push(target);
    }
    return after;
  }

  /** @throws TooLarge */
  #visit(count: number): void {
    this.#visits -= count;
    this.#work.left -= count;
    if (this.#visits < 0 || this.#work.left < 0) throw new TooLarge();
  }

  /** Returns the states, and those that they reach without a byte. */
  #closure(states: readonly number[], isStart: boolean): Set<number> {
    const reached = new Set(states);
    for (const state of reached) {
      const { free, atStart } = this.#states[state]!;
      this.#visit(1 + free.length);
      for (const next of free) reached.add(next);
      if (isStart) for (const next of atStart) reached.add(next);
    }
    return reached;
  }

  /** Whether a text may end in one of the states. */
  #accepts(set: readonly number[]): boolean {
    const reached = new Set(set);
    for (const state of reached) {
      const { free, atEnd } = this.#states[state]!;
      for (const next of [...free, ...atEnd]) reached.add(next);
    }
    return reached.has(this.end);
  }

  /** Returns the class of each byte, and the first byte of each class. */
  #classes(): { readonly classes: Uint8Array; readonly firsts: readonly number[] } {
    const begins = new Set([0]);
    for (const { edges } of this.#states) {
      for (const { from, to } of edges) {
        begins.add(from);
        if (to + 1 < BYTES) begins.add(to + 1);
      }
    }
    const firsts = [...begins].sort((one, other) => one - other);
    const classes = new Uint8Array(BYTES);
    for (const [index, first] of firsts.entries()) classes.fill(index, first);
    return { classes, firsts };
  }
}

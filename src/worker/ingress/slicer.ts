import type { TurnBudget } from '../overload/turn-budget.ts';

/** Work that is too long for one turn of the loop, or that came when the turn had no time left. */
export interface SlicedTask {
  /** It is input that has to wait: while there is any, all that comes waits behind it. */
  readonly isInput: boolean;
  /** Does a slice of it. @returns whether there is more */
  next(): boolean;
  /** {@link next} has thrown: it is not called again. */
  failed(error: unknown): void;
}

/**
 * Does work in slices, so that what else comes is served between: one in each turn of the loop, or,
 * while input waits, as many as the turn has time for. Each work has a slice in turn, and every
 * second slice is of work that has had none: a client that sends little waits for few others.
 */
export class Slicer {
  readonly #turn: Pick<TurnBudget, 'workUntilMs'>;
  readonly #new = new Fifo<SlicedTask>();
  readonly #started = new Fifo<SlicedTask>();
  #inputs = 0;
  #wasNew = false;
  #scheduled = false;

  constructor(turn: Pick<TurnBudget, 'workUntilMs'>) {
    this.#turn = turn;
  }

  /** Input waits: what comes now must not overtake it. */
  get hasPendingInput(): boolean {
    return this.#inputs > 0;
  }

  /** Adds work; it must not be added again before it is done. */
  add(task: SlicedTask): void {
    if (task.isInput) this.#inputs++;
    this.#new.push(task);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    const untilMs = this.#turn.workUntilMs;
    do this.#runSlice();
    while (this.hasPendingInput && performance.now() < untilMs);
    this.#scheduled = false;
    if (this.#new.length + this.#started.length > 0) this.#schedule();
  }

  #runSlice(): void {
    this.#wasNew = this.#started.length === 0 || (!this.#wasNew && this.#new.length > 0);
    const task = (this.#wasNew ? this.#new : this.#started).shift();
    if (task === undefined) return;
    let more = false;
    try {
      more = task.next();
    } catch (error) {
      task.failed(error);
    }
    if (more) this.#started.push(task);
    else if (task.isInput) this.#inputs--;
  }
}

/** A queue whose first is taken without moving the others. */
export class Fifo<T> {
  #items: T[] = [];
  #first = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#first];
    if (item === undefined) return undefined;
    this.#first++;
    // Half of it is over at least: each is moved once on average.
    if (this.#first * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#first = 0;
  }
}

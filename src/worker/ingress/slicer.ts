import type { TurnBudget } from '../overload/turn-budget.ts';

/** Work that is too long for one turn of the event loop, or arrived when its time was used up. */
export interface SlicedTask {
  /** Queued input: while there is any, later input queues behind it. */
  readonly isInput: boolean;
  /** Runs one slice. @returns whether there is more */
  next(): boolean;
  /** Reports an error thrown by {@link next}, which is not called again. */
  failed(error: unknown): void;
}

/**
 * Runs tasks in slices, so that other input is served in between: one slice per turn of the event
 * loop, or, while input is queued, as many as the turn has time for. Tasks are served round-robin,
 * and every second slice goes to a new task, so that a small one waits for few others.
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

  /** Input is queued: new input must not overtake it. */
  get hasPendingInput(): boolean {
    return this.#inputs > 0;
  }

  /** Adds a task; it must not be added again before it is done. */
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

/** A queue with constant-time removal at the head. */
export class Fifo<T> {
  #items: T[] = [];
  #first = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  get first(): T | undefined {
    return this.#items[this.#first];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#first];
    if (item === undefined) return undefined;
    this.#first++;
    // At least half is consumed: each item is moved once on average.
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

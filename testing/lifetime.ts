/** What ends, whatever happens, with that which it was started for: a test, or a run of chaos. */
export interface Lifetime {
  after(end: () => unknown): void;
}

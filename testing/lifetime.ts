/** Owner of resources that are released when it ends: a test, or a chaos run. */
export interface Lifetime {
  after(end: () => unknown): void;
}

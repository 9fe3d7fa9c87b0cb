/** Decides events by a table, in WebAssembly with SIMD. */
import assert from 'node:assert/strict';
import type { DecodeBounds } from '../decode-bounds.ts';
import type { FastValidator } from './fast-validator.ts';
import type { Kernel, KernelFunctions } from './kernel.ts';
import { HEADER_ABSENT } from './layout.ts';
import { RESULTS_MAX } from './memory-map.ts';

export class WasmValidator implements FastValidator {
  readonly #kernel: Kernel;
  readonly #functions: KernelFunctions;
  readonly #table: Buffer;
  readonly #absent: number | undefined;
  /** Address of the table while the input of this validator is loaded. */
  #address = 0;

  /**
   * @param table as written by buildTable; validators may share it
   * @param absent profile of events without the routing field; undefined = that of the table
   */
  constructor(kernel: Kernel, table: Buffer, absent?: number) {
    this.#kernel = kernel;
    this.#functions = kernel.functions;
    this.#table = table;
    this.#absent = absent;
  }

  get results(): Int32Array {
    return this.#kernel.results;
  }

  load(bytes: Buffer, start: number, end: number): void {
    // Before the input: a table that is added may move it.
    this.#address = this.#kernel.addressOf(this.#table);
    if (this.#absent !== undefined) {
      this.#kernel.setWord(this.#address, HEADER_ABSENT, this.#absent);
    }
    this.#kernel.load(bytes, start, end);
  }

  objectEnd(start: number, end: number, maxDepth: number): number {
    return this.#functions.objectEnd(this.#address, start, end, maxDepth);
  }

  array(open: number, { maxEvents, maxEventBytes, maxDepth }: DecodeBounds): number {
    assert(maxEvents <= RESULTS_MAX, 'each event has a result');
    const { end } = this.#kernel;
    return this.#functions.array(this.#address, open, end, maxEvents, maxEventBytes, maxDepth);
  }
}

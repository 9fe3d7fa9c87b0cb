/** Instance of the kernel: its memory, and the tables in it. One per process suffices. */
import { readFileSync } from 'node:fs';
import { RESULT_WORDS } from './layout.ts';
import { PADDING, RESULTS, RESULTS_MAX, TABLES, TABLES_BYTES } from './memory-map.ts';

const FILE = new URL('kernel.wasm', import.meta.url);
const PAGE_BYTES = 65_536;
/** Input that fits without growing the memory. */
const INPUT_BYTES = 128 * 1024;
/** Tables contain doubles. */
const ALIGNMENT = 8;
const WORD_BYTES = 4;

/** Functions of assembly/index.ts. Addresses are offsets in the memory. */
export interface KernelFunctions {
  setInput(origin: number, scratch: number): void;
  objectEnd(table: number, start: number, end: number, maxDepth: number): number;
  array(
    table: number,
    open: number,
    end: number,
    maxEvents: number,
    maxEventBytes: number,
    maxDepth: number,
  ): number;
  count(open: number, end: number): number;
}

export class Kernel {
  readonly functions: KernelFunctions;
  readonly #memory: WebAssembly.Memory;
  #bytes = Buffer.alloc(0);
  #results = new Int32Array(0);
  readonly #tables = new Map<Buffer, number>();
  /** Address after the last table. */
  #tablesEnd = TABLES;
  #input = TABLES + TABLES_BYTES;
  #inputBytes = 0;
  #origin = 0;
  #end = 0;

  /** @throws if the WebAssembly of the module is not supported */
  constructor(module: WebAssembly.Module) {
    this.#memory = new WebAssembly.Memory({ initial: 1 });
    const instance = new WebAssembly.Instance(module, { env: { memory: this.#memory } });
    this.functions = instance.exports as unknown as KernelFunctions;
    this.#reserve(INPUT_BYTES);
  }

  /** Results of the last call, as in layout.ts; valid until the next input. */
  get results(): Int32Array {
    return this.#results;
  }

  /** Offset after the input. */
  get end(): number {
    return this.#end;
  }

  /** Makes `bytes[start, end)` the input; positions are offsets in `bytes`. */
  load(bytes: Buffer, start: number, end: number): void {
    if (end - start > this.#inputBytes) this.#reserve(2 * (end - start));
    bytes.copy(this.#bytes, this.#input, start, end);
    const origin = this.#input - start;
    if (origin !== this.#origin) this.#setOrigin(origin);
    this.#end = end;
  }

  /**
   * Returns the number of values of the array at `open`, without validating them: exact for JSON.
   * INVALID = the array does not end with `bytes`. Replaces the input.
   */
  countItems(bytes: Buffer, open: number): number {
    this.load(bytes, open, bytes.length);
    return this.functions.count(open, bytes.length);
  }

  /**
   * Returns the address of a table, valid until the next call. The table is copied at its first
   * use, and if others have evicted it; it must not change, except by {@link setWord}.
   */
  addressOf(table: Buffer): number {
    return this.#tables.get(table) ?? this.#add(table);
  }

  /** Writes a word of the table at `address`. */
  setWord(address: number, word: number, value: number): void {
    this.#bytes.writeInt32LE(value, address + word * WORD_BYTES);
  }

  #add(table: Buffer): number {
    if (this.#tablesEnd + table.length > this.#input) {
      this.#tables.clear();
      this.#tablesEnd = TABLES;
      // The next input is loaded behind the larger region.
      this.#input = Math.max(this.#input, align(TABLES + table.length));
      this.#reserve(this.#inputBytes);
    }
    const address = this.#tablesEnd;
    this.#bytes.set(table, address);
    this.#tables.set(table, address);
    this.#tablesEnd = align(address + table.length);
    return address;
  }

  /** Reserves memory for input of this size, which is not preserved. */
  #reserve(bytes: number): void {
    this.#inputBytes = Math.max(bytes, this.#inputBytes);
    const end = this.#input + 2 * (this.#inputBytes + PADDING);
    const missing = end - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
    // Growing detaches the buffer of earlier views.
    const { buffer } = this.#memory;
    this.#bytes = Buffer.from(buffer);
    this.#results = new Int32Array(buffer, RESULTS, RESULTS_MAX * RESULT_WORDS);
    this.#setOrigin(this.#input);
  }

  #setOrigin(origin: number): void {
    this.#origin = origin;
    this.functions.setInput(origin, this.#input + this.#inputBytes + PADDING);
  }
}

function align(address: number): number {
  return Math.ceil(address / ALIGNMENT) * ALIGNMENT;
}

let loaded: Kernel | Error | undefined;

/**
 * Returns the kernel of this process, which is compiled by the first call. An error is the reason
 * why there is none: `node --jitless`, or a CPU without SIMD.
 */
export function loadKernel(): Kernel | Error {
  loaded ??= compileKernel();
  return loaded;
}

function compileKernel(): Kernel | Error {
  try {
    return new Kernel(new WebAssembly.Module(readFileSync(FILE)));
  } catch (error) {
    return error as Error;
  }
}

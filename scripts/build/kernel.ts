/** Compiler of the kernel, from AssemblyScript to WebAssembly. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const COMPILER = 'node_modules/assemblyscript/bin/asc.js';
const ENTRY = 'src/worker/decoder/kernel/assembly/index.ts';
const OPTIONS = [
  ...['--optimizeLevel', '3', '--shrinkLevel', '0', '--enable', 'simd'],
  // The kernel allocates nothing, and its memory is that of kernel.ts.
  ...['--runtime', 'stub', '--importMemory'],
  // Embeddings without SIMD values: only the kernel's own functions exchange these.
  ...['--disableWarning', '112'],
];

/**
 * Compiles the kernel to the file `wasm`.
 * @throws Error with the messages of the compiler
 */
export async function buildKernel(wasm: string): Promise<void> {
  await promisify(execFile)(process.execPath, [COMPILER, ENTRY, ...OPTIONS, '--outFile', wasm]);
}

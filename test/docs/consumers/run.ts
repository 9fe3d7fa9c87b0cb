import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';

/** Runs a program that reads `input`. @returns the lines that it prints, without empty ones */
export async function runWith(
  input: string,
  command: string,
  args: readonly string[],
): Promise<string[]> {
  const child = spawn(command, args);
  let [output, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  // A program that fails may not read all of it; its exit code tells.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const code = await new Promise<number | null>((done, failed) => {
    child.once('error', failed);
    child.once('close', done);
  });
  assert.equal(code, 0, `${command}: ${errors}`);
  return output.split('\n').filter((line) => line !== '');
}

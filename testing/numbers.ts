/** Numbers in environment variables for developer commands, such as SEEDS=1000. */

import { shown, type ValueOption } from '../src/cli/command-line.ts';
import { EXIT, StartError } from '../src/common/errors.ts';

/**
 * Returns the number in the variable `name`; `fallback` if it is not set, or empty.
 * @throws StartError (exit code 2), one line with the variable and its range
 */
export function numberOf(name: string, option: ValueOption<number>, fallback: number): number {
  const given = process.env[name];
  if (given === undefined || given === '') return fallback;
  const value = option.read(given);
  if (value !== undefined) return value;
  const message = `${name} must be ${option.expects}, not ${shown(given)}`;
  throw new StartError(message, EXIT.configuration);
}

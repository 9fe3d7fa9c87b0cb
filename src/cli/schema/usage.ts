/** Errors of the command line of `schema`. */
import { commandName } from '../../common/command-name.ts';
import { EXIT, StartError } from '../../common/errors.ts';

/** Returns the error for invalid arguments, with a reference to the help. */
export function wrongUsage(message: string): StartError {
  return new StartError(
    `schema: ${message} (see ${commandName()} schema --help)`,
    EXIT.configuration,
  );
}

/** Returns the error for a file or stream that cannot be used. */
export function unusable(message: string): StartError {
  return new StartError(`schema: ${message}`, EXIT.configuration);
}

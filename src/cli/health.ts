/** The command `health`: checks the gateway of these settings, for container health checks. */
import { commandName } from '../common/command-name.ts';
import { complain, EXIT, StartError } from '../common/errors.ts';
import { readConfig } from '../config/config.ts';
import type { Readiness } from '../ipc.ts';
import { adminUrl, getAdmin } from './admin-port.ts';
import { readOptions, shown } from './command-line.ts';

/**
 * Prints one line: success on stdout, the reason of a failure on stderr.
 *
 * @param argv arguments after `health`: none queries /livez, `--ready` queries /readyz
 * @returns the exit code: 0 = status 200, 1 = another status, or no response in time
 * @throws StartError (exit code 2) for other arguments, or invalid settings
 */
export async function runHealth(argv: readonly string[]): Promise<number> {
  const { values, positionals, help } = readOptions(argv, OPTIONS, wrong);
  if (help) {
    console.log(healthHelp());
    return EXIT.clean;
  }
  const [unexpected] = positionals;
  if (unexpected !== undefined) throw wrong(`unexpected argument ${shown(unexpected)}`);
  const path = values.ready ? '/readyz' : '/livez';
  const url = `${adminUrl(readConfig(process.env))}${path}`;
  const trouble = await ask(url);
  if (trouble === undefined) console.log(`${url}: ok`);
  else complain(`${url}: ${trouble}`);
  return trouble === undefined ? EXIT.clean : EXIT.failed;
}

const OPTIONS = { ready: 'flag' } as const;

function healthHelp(): string {
  return `Usage: ${commandName()} health [--ready]

Checks that the gateway with these settings is alive (/livez), with --ready that it is ready
(/readyz). Exit code 0: it is; 1: it is not, or does not respond; 2: invalid options or settings.`;
}

function wrong(message: string): StartError {
  return new StartError(
    `health: ${message} (see ${commandName()} health --help)`,
    EXIT.configuration,
  );
}

/** @returns the failure; undefined = none */
async function ask(url: string): Promise<string | undefined> {
  const response = await getAdmin(url);
  if ('failure' in response) return response.failure;
  const { status, body } = response;
  return status >= 200 && status < 300 ? undefined : `${status} ${reasonsIn(body)}`.trimEnd();
}

/** Reasons in the body of /readyz; '' if it is another body. */
function reasonsIn(body: string): string {
  try {
    const { reasons } = JSON.parse(body) as Partial<Readiness>;
    return reasons?.join('; ') ?? '';
  } catch {
    return '';
  }
}

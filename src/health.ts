/** The command `health`: asks the gateway of these settings how it does, as a container's check. */
import type { Config } from './config.ts';
import { complain, EXIT, StartError } from './errors.ts';
import { LIMITS } from './limits.ts';
import type { Readiness } from './messages.ts';

/** What a gateway that listens on every address is asked under. */
const LOOPBACK_OF: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/**
 * Prints one line: on stdout that all is well, on stderr why not.
 *
 * @param argv the arguments after `health`: none asks /livez, `--ready` asks /readyz
 * @returns the exit code: 0 = the answer was 200, 1 = it was another, or there was none in time
 * @throws StartError (exit code 2) for other arguments
 */
export async function runHealth(argv: readonly string[], config: Config): Promise<number> {
  const [option, ...more] = argv;
  if ((option !== undefined && option !== '--ready') || more.length > 0) {
    throw new StartError('health: takes --ready or nothing', EXIT.configuration);
  }
  const path = option === '--ready' ? '/readyz' : '/livez';
  const url = `http://${authority(config.adminHost, config.adminPort)}${path}`;
  const trouble = await ask(url);
  if (trouble === undefined) console.log(`${url}: ok`);
  else complain(`${url}: ${trouble}`);
  return trouble === undefined ? EXIT.clean : EXIT.failed;
}

function authority(host: string, port: number): string {
  const asked = LOOPBACK_OF[host] ?? host;
  return `${asked.includes(':') && !asked.startsWith('[') ? `[${asked}]` : asked}:${port}`;
}

/** @returns what is wrong; undefined = nothing */
async function ask(url: string): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(LIMITS.healthMs);
    const response = await fetch(url, { signal, redirect: 'error' });
    const body = await response.text();
    return response.ok ? undefined : `${response.status} ${reasonsIn(body)}`.trimEnd();
  } catch (error) {
    const { name, message, cause } = error as Error;
    if (name === 'TimeoutError') return `no answer for ${LIMITS.healthMs} ms`;
    return (cause as NodeJS.ErrnoException | undefined)?.code ?? message;
  }
}

/** The reasons of /readyz; '' where something else answers. */
function reasonsIn(body: string): string {
  try {
    const { reasons } = JSON.parse(body) as Partial<Readiness>;
    return reasons?.join('; ') ?? '';
  } catch {
    return '';
  }
}

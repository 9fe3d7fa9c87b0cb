/**
 * Detection of environment variables that look like settings but are not, such as typing errors.
 */
import { nearest } from '../common/nearest.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIXES = /^(FOREBAY|KAFKA)_/;

/** Variables of the development tools, of docker-compose.yml, and between primary and workers. */
const OURS: ReadonlySet<string> = new Set([
  'FOREBAY_KAFKA_JARS',
  'FOREBAY_TEST_KAFKA',
  'FOREBAY_WORKER_SLOT',
  'KAFKA_HOST_PORT',
]);

/** Variables of Kafka's own scripts. */
const OF_KAFKA = /^KAFKA_(HOME|([A-Z0-9]+_)*OPTS)$/;

/** Kubernetes passes each pod the addresses of its namespace's services, named after them. */
const SERVICE_LINK =
  /_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_[A-Z]+)?$/;

/**
 * Returns whether a variable is `NAME_PORT=tcp://10.0.0.1:9000`, as Kubernetes sets it for a
 * service.
 */
export function isServiceAddress(name: string, value: string): boolean {
  return name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value);
}

function isServiceLink(name: string, value: string): boolean {
  return SERVICE_LINK.test(name) || isServiceAddress(name, value);
}

/** Maximum edits to a known name: a third of the letters behind the prefix. */
function editsMax(setting: string): number {
  return Math.floor(setting.replace(PREFIXES, '').length / 3);
}

/**
 * Variables that look like settings but are not, a line each; without values, which may be secret.
 * @param settings variables of all settings
 */
export function unknownVariables(env: Environment, settings: readonly string[]): string[] {
  const known = new Set([...settings, ...OURS]);
  return Object.entries(env)
    .filter(([name]) => PREFIXES.test(name) && !known.has(name) && !OF_KAFKA.test(name))
    .filter(([name, value = '']) => value !== '' && !isServiceLink(name, value))
    .map(([name]) => {
      const near = nearest(name, settings, editsMax);
      return `${name} is not a setting${near === undefined ? '' : `; did you mean ${near}?`}`;
    })
    .sort();
}

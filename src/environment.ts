/** What stands in the environment beside our settings: typing errors, and the work of others. */

export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIXES = /^(FOREBAY|KAFKA)_/;

/** Variables of the development tools, of Docker Compose's file, and between primary and workers. */
const OURS: ReadonlySet<string> = new Set([
  'FOREBAY_KAFKA_JARS',
  'FOREBAY_TEST_KAFKA',
  'FOREBAY_WORKER_SLOT',
  'KAFKA_HOST_PORT',
]);

/** What Kafka's own scripts read. */
const OF_KAFKA = /^KAFKA_(HOME|([A-Z0-9]+_)*OPTS)$/;

/** Kubernetes gives each pod the addresses of the services of its namespace, by their names. */
const SERVICE_LINK =
  /_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_[A-Z]+)?$/;

/** Whether a variable is `NAME_PORT=tcp://10.0.0.1:9000`, as Kubernetes sets it for a service. */
export function isServiceAddress(name: string, value: string): boolean {
  return name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value);
}

function isServiceLink(name: string, value: string): boolean {
  return SERVICE_LINK.test(name) || isServiceAddress(name, value);
}

/**
 * Variables that look like settings and are none: a line each, without values, which may be secret.
 * @param settings the variables of all settings
 */
export function strangers(env: Environment, settings: readonly string[]): string[] {
  const known = new Set([...settings, ...OURS]);
  return Object.entries(env)
    .filter(([name]) => PREFIXES.test(name) && !known.has(name) && !OF_KAFKA.test(name))
    .filter(([name, value = '']) => value !== '' && !isServiceLink(name, value))
    .map(([name]) => {
      const near = nearest(name, settings);
      return `${name} is not a setting${near === undefined ? '' : `; did you mean ${near}?`}`;
    })
    .sort();
}

/** The name that is least typing errors away: at most a third of what stands behind the prefix. */
function nearest(name: string, settings: readonly string[]): string | undefined {
  let found: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const setting of settings) {
    const edits = editDistance(name, setting);
    const bound = Math.floor(setting.replace(PREFIXES, '').length / 3);
    if (edits > bound || edits >= least) continue;
    found = setting;
    least = edits;
  }
  return found;
}

/** How many letters have to be changed, added or left out to make `b` of `a` (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

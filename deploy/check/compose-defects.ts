/** Broken references in docker-compose.yml: things it names that are missing or elsewhere. */
import { normalize } from 'node:path';
import ipaddr from 'ipaddr.js';
import { StartError } from '../../src/common/errors.ts';
import { readConfig } from '../../src/config/config.ts';
import { SETTING_ENTRIES } from '../../src/config/settings.ts';
import {
  COMPOSE_FILE,
  type ComposeFile,
  durationMs,
  envFile,
  readCompose,
  type Service,
  type Tree,
} from './compose-file.ts';
import { haproxyPresets, listeningPorts, wiringDefects } from './compose-wiring.ts';

export const THREE_BROKERS = 'deploy/compose/three-brokers.env';
const SETTINGS = new Set(SETTING_ENTRIES.map(([, { env }]) => env));

const isGateway = ({ image }: Pick<Service, 'image'>) => image.startsWith('forebay:');

function imageDefects(tree: Tree, { image, build }: Service): string[] {
  if (!/:v?\d+\.\d+\.\d+$/.test(image)) return [`image ${image} is not pinned`];
  if (!isGateway({ image })) return [];
  const { version } = JSON.parse(tree.read('package.json')) as { version: string };
  const found: string[] = [];
  if (image !== `forebay:${version}`) found.push(`image ${image}, package.json says ${version}`);
  const file = normalize(`${build}/Dockerfile`);
  if (!tree.has(file)) found.push(`${file} does not exist`);
  return found;
}

function volumeDefects(tree: Tree, file: ComposeFile, { volumes = [] }: Service): string[] {
  return volumes.flatMap((volume) => {
    const [source = '', target, mode] = volume.split(':');
    if (!source.startsWith('.')) return source in file.volumes ? [] : [`no volume ${source}`];
    const found = tree.has(normalize(source)) ? [] : [`${normalize(source)} does not exist`];
    if (mode !== 'ro') found.push(`${target} is writable`);
    return found;
  });
}

function portDefects(tree: Tree, name: string, service: Service): string[] {
  return (service.ports ?? []).flatMap((port) => {
    const [, address, inner = ''] = /^(.*:)?\d+:(\d+)$/.exec(port) ?? [];
    const found: string[] = [];
    if (!listeningPorts(tree, name, service).includes(inner)) {
      found.push(`publishes ${inner}, where nothing listens`);
    }
    if (address !== '127.0.0.1:' && port !== '9000:9000')
      found.push(`${port} is published beyond loopback`);
    return found;
  });
}

function dependencyDefects(file: ComposeFile, { depends_on = {} }: Service): string[] {
  return Object.entries(depends_on).flatMap(([name, { condition, required = true }]) => {
    const other = file.services[name];
    if (other === undefined) return [`depends on ${name}, which is not a service`];
    if (other.profiles && required) return [`requires ${name}, which only a profile starts`];
    return condition === 'service_healthy' && !other.healthcheck
      ? [`depends on the health of ${name}, which has no healthcheck`]
      : [];
  });
}

function gatewayDefects(tree: Tree, file: ComposeFile, service: Service): string[] {
  const env = Object.fromEntries(
    Object.entries(service.environment ?? {}).map(([name, value]) => [name, String(value)]),
  );
  const found = Object.keys(env).flatMap((name) =>
    SETTINGS.has(name) ? [] : [`${name} is not a setting`],
  );
  const { prestopMs, drainTimeoutMs } = readConfig(env);
  if (!(durationMs(service.stop_grace_period) > prestopMs + drainTimeoutMs + 1_000)) {
    found.push(`stop_grace_period ${service.stop_grace_period} is shorter than a drain`);
  }
  const proxy = Object.values(file.services).find(({ image }) => image.startsWith('haproxy:'));
  const everyMs = durationMs(haproxyPresets(tree).FOREBAY_CHECK_EVERY);
  if (prestopMs <= 3 * everyMs) {
    found.push(`FOREBAY_PRESTOP_MS ${prestopMs} is shorter than three checks of HAProxy`);
  }
  const networks = proxy?.networks as Record<string, { ipv4_address?: string }>;
  const address = networks?.forebay?.ipv4_address ?? 'none';
  if (env.FOREBAY_TRUSTED_PROXIES !== address) {
    found.push(`trusts ${env.FOREBAY_TRUSTED_PROXIES}, and HAProxy has ${address}`);
  }
  const within = (range = '') => ipaddr.parse(address).match(ipaddr.parseCIDR(range));
  const [config] = file.networks.forebay?.ipam.config ?? [];
  if (address !== 'none' && (!within(config?.subnet) || within(config?.ip_range))) {
    found.push(`${address} is not in the part of ${config?.subnet} that is for fixed addresses`);
  }
  return found;
}

function confinementDefects(service: Service): string[] {
  const found: string[] = [];
  const demand = (holds: boolean, what: string) => holds || found.push(what);
  demand(service.healthcheck !== undefined, 'has no healthcheck');
  demand(service.restart === 'unless-stopped', 'has no restart policy');
  demand(service.cap_drop?.includes('ALL') === true, 'keeps capabilities');
  demand(service.security_opt?.includes('no-new-privileges:true') === true, 'may gain privileges');
  demand(
    service.read_only === true || service.image.startsWith('apache/kafka:'),
    'can write to its image',
  );
  return found;
}

function fileDefects(tree: Tree, env: Readonly<Record<string, string>>): string[] {
  const file = readCompose(tree, env);
  const found = Object.entries(file.services).flatMap(([name, service]) =>
    [
      ...imageDefects(tree, service),
      ...volumeDefects(tree, file, service),
      ...portDefects(tree, name, service),
      ...dependencyDefects(file, service),
      ...confinementDefects(service),
      ...(isGateway(service) ? gatewayDefects(tree, file, service) : []),
    ].map((defect) => `${COMPOSE_FILE}: ${name}: ${defect}`),
  );
  for (const volume of Object.keys(file.volumes)) {
    const used = Object.values(file.services).some(({ volumes = [] }) =>
      volumes.some((entry) => entry.startsWith(`${volume}:`)),
    );
    if (!used) found.push(`${COMPOSE_FILE}: volume ${volume} is not used`);
  }
  const profiles = Object.values(file.services).flatMap((service) => service.profiles ?? []);
  const { COMPOSE_PROFILES: profile, ...variables } = env;
  if (profile !== undefined && !profiles.includes(profile)) {
    found.push(`${THREE_BROKERS}: no service has profile ${profile}`);
  }
  for (const name of Object.keys(variables)) {
    if (!file.variables.has(name)) found.push(`${THREE_BROKERS}: ${name} is not read`);
  }
  return [...found, ...wiringDefects(tree, file)];
}

/** Returns a line per defect of the tree's Compose file, with one broker and with three. */
export function composeDefects(tree: Tree): string[] {
  const three = envFile(tree.read(THREE_BROKERS));
  try {
    return [...new Set([...fileDefects(tree, {}), ...fileDefects(tree, three)])];
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return [`${COMPOSE_FILE}: a gateway would not start: ${error.message}`];
  }
}

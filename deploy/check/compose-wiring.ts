/**
 * Addresses among the services of docker-compose.yml and its files: whether each target listens.
 */
import { parse } from 'yaml';
import { type Config, readConfig } from '../../src/config/config.ts';
import type { ComposeFile, Service, Tree } from './compose-file.ts';

const HAPROXY_CONFIG = 'deploy/haproxy/haproxy.cfg';
const PROMETHEUS_CONFIG = 'deploy/compose/prometheus.yml';
const PROMETHEUS_ORIGINAL = 'deploy/prometheus/prometheus.yml';
const DATA_SOURCES = 'deploy/compose/datasources/prometheus.yml';
const DASHBOARDS = 'grafana/provisioning/dashboards/forebay.yml';
/** Default ports of images whose port is not configured here. */
const DEFAULT_PORTS: Readonly<Record<string, string>> = {
  'prom/prometheus': '9090',
  'grafana/grafana': '3000',
};

interface PrometheusConfig {
  readonly rule_files: readonly string[];
  readonly scrape_configs: readonly {
    readonly job_name: string;
    readonly static_configs: readonly { readonly targets: readonly string[] }[];
  }[];
}

const targetsOf = ({ scrape_configs }: PrometheusConfig) =>
  scrape_configs.flatMap(({ static_configs }) => static_configs.flatMap(({ targets }) => targets));

/** Presets of variables in HAProxy's configuration. */
export function haproxyPresets(tree: Tree): Record<string, string> {
  const presets = tree.read(HAPROXY_CONFIG).matchAll(/^\s*presetenv\s+(\w+)\s+"?([^"\s]*)/gm);
  return Object.fromEntries([...presets].map(([, name, value]) => [name!, value!]));
}

/** HAProxy's configuration with these variables; its presets apply to the others. */
function haproxyConfig(tree: Tree, environment: Readonly<Record<string, string | number>>): string {
  const text = tree.read(HAPROXY_CONFIG).replaceAll(/#.*$/gm, '');
  const preset = haproxyPresets(tree);
  return text.replaceAll(/"?\$\{(\w+)(?:-([^}]*))?\}"?/g, (_, name, otherwise) =>
    String(environment[name] ?? preset[name] ?? otherwise),
  );
}

/** Settings of a gateway. */
function settingsOf({ environment = {} }: Service): Config {
  const env = Object.entries(environment).map(([key, value]) => [key, String(value)]);
  return readConfig(Object.fromEntries(env));
}

/** Ports within its container. */
export function listeningPorts(tree: Tree, name: string, service: Service): string[] {
  const environment = service.environment ?? {};
  const [image = ''] = service.image.split(':');
  if (image === 'forebay') {
    const { port, adminPort } = settingsOf(service);
    return [String(port), String(adminPort)];
  }
  if (image === 'apache/kafka') {
    return [...String(environment.KAFKA_LISTENERS).matchAll(/:(\d+)/g)].map(([, port]) => port!);
  }
  if (name === 'haproxy' && tree.has(HAPROXY_CONFIG)) {
    const binds = haproxyConfig(tree, environment).matchAll(/^\s*bind\s+\S*?:(\d+)/gm);
    return [...binds].map(([, port]) => port!);
  }
  return image in DEFAULT_PORTS ? [DEFAULT_PORTS[image]!] : [];
}

/** Each `service:port` in the text that is not a service, or not a port on which it listens. */
function addressDefects(tree: Tree, file: ComposeFile, where: string, text: string): string[] {
  const addresses = text.matchAll(/(?<![\w.:-])([a-z][a-z0-9-]*):(\d{2,5})\b/g);
  return [...addresses].flatMap(([address, name = '', port = '']) => {
    const service = file.services[name];
    if (name === 'localhost') return [];
    if (service === undefined) return [`${where}: ${address} is not a service`];
    const listening = listeningPorts(tree, name, service).includes(port);
    return listening ? [] : [`${where}: nothing listens at ${address}`];
  });
}

function prometheusDefects(tree: Tree, file: ComposeFile): string[] {
  const config = parse(tree.read(PROMETHEUS_CONFIG)) as PrometheusConfig;
  const original = parse(tree.read(PROMETHEUS_ORIGINAL)) as PrometheusConfig;
  const found: string[] = [];
  const gateways = Object.entries(file.services).filter(([, { image }]) =>
    image.startsWith('forebay:'),
  );
  const expected = gateways.map(
    ([name, service]) => `${name}:${listeningPorts(tree, name, service)[1]}`,
  );
  if (String(targetsOf(config)) !== String(expected)) {
    found.push(`${PROMETHEUS_CONFIG}: targets ${targetsOf(config)}, not ${expected}`);
  }
  for (const [name, service] of gateways) {
    if (settingsOf(service).adminHosts.includes(name)) continue;
    found.push(`docker-compose.yml: ${name}: FOREBAY_ADMIN_HOSTS lacks the name that is scraped`);
  }
  const rules = original.rule_files.map((name) => `../prometheus/${name}`);
  if (String(config.rule_files) !== String(rules)) {
    found.push(`${PROMETHEUS_CONFIG}: rules ${config.rule_files}, not ${rules}`);
  }
  const job = ({ scrape_configs }: PrometheusConfig) => scrape_configs[0]?.job_name;
  if (job(config) !== job(original)) found.push(`${PROMETHEUS_CONFIG}: job ${job(config)}`);
  return found;
}

function grafanaDefects(tree: Tree, file: ComposeFile): string[] {
  const found: string[] = [];
  const { url } = (parse(tree.read(DATA_SOURCES)) as { datasources: { url: string }[] })
    .datasources[0]!;
  if (url !== 'http://prometheus:9090') found.push(`${DATA_SOURCES}: ${url} is not Prometheus`);
  const { path } = (parse(tree.read(DASHBOARDS)) as { providers: { options: { path: string } }[] })
    .providers[0]!.options;
  const mounts = file.services.grafana?.volumes ?? [];
  if (!mounts.some((mount) => mount.split(':')[1] === path)) {
    found.push(`${DASHBOARDS}: Grafana has no ${path}`);
  }
  return found;
}

function haproxyDefects(tree: Tree, file: ComposeFile): string[] {
  if (!tree.has(HAPROXY_CONFIG)) return [`${HAPROXY_CONFIG} does not exist`];
  const config = tree.read(HAPROXY_CONFIG);
  const unread = Object.keys(file.services.haproxy?.environment ?? {}).filter(
    (name) => !config.includes(name),
  );
  const presets = config.split('\n').filter((line) => /^\s*presetenv\s/.test(line));
  return [
    ...unread.map((name) => `${HAPROXY_CONFIG} does not read ${name}`),
    ...addressDefects(tree, file, HAPROXY_CONFIG, presets.join('\n')),
  ];
}

/** Returns a line per reference to a service, port, rule or folder that does not exist. */
export function wiringDefects(tree: Tree, file: ComposeFile): string[] {
  const found = Object.entries(file.services).flatMap(([name, { environment, healthcheck }]) =>
    [...Object.values(environment ?? {}), ...(healthcheck?.test ?? [])].flatMap((value) =>
      addressDefects(tree, file, `docker-compose.yml: ${name}`, String(value)),
    ),
  );
  return [
    ...found,
    ...prometheusDefects(tree, file),
    ...grafanaDefects(tree, file),
    ...haproxyDefects(tree, file),
  ];
}

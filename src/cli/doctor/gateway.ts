/** Checks of the gateway itself that need no file: platform, ports, resources, access. */
import { totalmem } from 'node:os';
import { StartError } from '../../common/errors.ts';
import { isLoopback } from '../../common/ip-addresses.ts';
import { isObject } from '../../common/json-object.ts';
import { DEPRECATED_NODE_MAJORS, NODE_MAJORS, nodeMajor } from '../../common/node-versions.ts';
import { type Config, requiresAuthentication } from '../../config/config.ts';
import { availableCores } from '../../config/cpu-count.ts';
import { connectionBounds, openFilesMax } from '../../config/fd-limits.ts';
import { MIB } from '../../config/limits.ts';
import { configuredCodec } from '../../kafka/compression/codecs.ts';
import { adminEndpoint, type Endpoint, probePort } from '../../primary/ports.ts';
import { chooseTransport, loadTransport } from '../../worker/ingress/transport/choose-transport.ts';
import { adminUrl, getAdmin } from '../admin-port.ts';
import { DOCTOR_LIMITS } from './limits.ts';
import type { Section } from './report.ts';

/** Facts of the machine, which tests replace. */
export interface Machine {
  /** As in `process.versions.node`. */
  readonly node: string;
  readonly cores: number;
  /** Infinity = unlimited or unknown. */
  readonly openFiles: number;
  /** Memory that the processes may use together, bytes. */
  readonly memoryBytes: number;
}

/** Returns the facts of this machine, or of the container. */
export function thisMachine(): Machine {
  // Not a number on some platforms; 0 or beyond the memory = unlimited.
  const constrained = Number(process.constrainedMemory?.() ?? 0);
  const total = totalmem();
  return {
    node: process.versions.node,
    cores: availableCores(),
    openFiles: openFilesMax(),
    memoryBytes: constrained > 0 ? Math.min(constrained, total) : total,
  };
}

/** Checks platform, ports and resources. */
export async function checkGateway(
  config: Config,
  section: Section,
  machine: Machine = thisMachine(),
): Promise<void> {
  checkNode(machine, section);
  await checkTransport(config, section);
  checkWorkers(config, machine, section);
  await checkPorts(config, section);
  checkOpenFiles(config, machine, section);
  checkMemory(config, machine, section);
  checkAccess(config, section);
  checkCodec(config, section);
}

function checkNode({ node }: Machine, section: Section): void {
  const major = nodeMajor(node);
  const detail = `Node.js ${node}, ${process.platform} ${process.arch}`;
  const supported = `supported versions are ${NODE_MAJORS.join(', ')}`;
  if (NODE_MAJORS.includes(major)) section.ok('platform', detail);
  else if (DEPRECATED_NODE_MAJORS.includes(major)) {
    section.warn('platform', `${detail}: past its end of life`, `upgrade: ${supported}`);
  } else section.warn('platform', `${detail}: not tested`, `use another one: ${supported}`);
}

async function checkTransport({ transport }: Config, section: Section): Promise<void> {
  const { name, reason } = chooseTransport(transport);
  try {
    await loadTransport(name);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    const advice = 'set FOREBAY_TRANSPORT=auto or node, or install the package of this platform';
    return section.fail('transport', error.message, advice);
  }
  if (reason === undefined) return section.ok('transport', name);
  const advice = 'it works, with less throughput: see docs/platforms.md';
  section.warn('transport', `${name}: ${reason}`, advice);
}

function checkWorkers({ workers }: Config, { cores }: Machine, section: Section): void {
  const detail = `${workers} of FOREBAY_WORKERS, ${cores} available cores`;
  if (workers <= cores) return section.ok('workers', detail);
  section.warn('workers', detail, 'more workers than cores share them: set FOREBAY_WORKERS lower');
}

/** A gateway that serves the admin port of these settings. */
interface RunningGateway {
  readonly version: string;
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

async function checkPorts(config: Config, section: Section): Promise<void> {
  const { host, port } = config;
  const client = { host, port, hostEnv: 'FOREBAY_HOST', portEnv: 'FOREBAY_PORT' };
  const running = await runningGateway(config);
  await checkPort('client port', client, running, section);
  await checkPort('admin port', adminEndpoint(config), running, section);
  if (running === undefined) return;
  const { version, ready, reasons } = running;
  const detail = `a gateway with these settings runs, version ${version}`;
  if (ready) return section.ok('running', `${detail}: ready`);
  const advice = 'see /readyz of the admin port, and its log';
  section.warn('running', `${detail}: not ready: ${reasons.join('; ')}`, advice);
}

async function checkPort(
  step: string,
  endpoint: Endpoint,
  running: RunningGateway | undefined,
  section: Section,
): Promise<void> {
  const { host, port, portEnv } = endpoint;
  try {
    await probePort(endpoint);
    section.ok(step, `${port} of ${host} is free`);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    const isOurs = running !== undefined && /already in use/.test(error.message);
    if (isOurs) return section.ok(step, `${port} of ${host} is in use while a gateway runs`);
    section.fail(step, error.message, `stop the program that has the port, or change ${portEnv}`);
  }
}

/** Returns the gateway on the admin port of these settings; undefined if there is none. */
async function runningGateway(config: Config): Promise<RunningGateway | undefined> {
  const response = await getAdmin(`${adminUrl(config)}/readyz`);
  if ('failure' in response) return undefined;
  try {
    const content: unknown = JSON.parse(response.body);
    if (!isObject(content)) return undefined;
    const { version, ready, reasons } = content;
    if (typeof version !== 'string' || typeof ready !== 'boolean') return undefined;
    return { version, ready, reasons: Array.isArray(reasons) ? reasons.map(String) : [] };
  } catch {
    return undefined;
  }
}

function checkOpenFiles({ maxConnections }: Config, { openFiles }: Machine, section: Section) {
  if (openFiles === Number.POSITIVE_INFINITY) {
    return section.ok('open files', 'unlimited, or not known on this platform');
  }
  const { webSockets } = connectionBounds(maxConnections, openFiles);
  const detail = `${openFiles} per process, for ${webSockets} of FOREBAY_MAX_CONNECTIONS=${maxConnections} WebSockets`;
  if (webSockets >= maxConnections) return section.ok('open files', detail);
  const advice =
    'raise the hard limit (LimitNOFILE, ulimits, ulimit -Hn), or set FOREBAY_MAX_CONNECTIONS lower';
  section.warn('open files', detail, advice);
}

/** Compares the memory that the instance may need with that of the machine or container. */
function checkMemory(config: Config, { memoryBytes }: Machine, section: Section): void {
  const { bufferBytes, maxRssBytes, workers } = config;
  const { primaryBytes, workerBytes } = DOCTOR_LIMITS;
  const perWorker = maxRssBytes > 0 ? maxRssBytes : bufferBytes + workerBytes;
  // A rolling restart runs one worker more.
  const needed = primaryBytes + (workers + 1) * perWorker;
  const mib = (bytes: number) => `${Math.ceil(bytes / MIB)} MiB`;
  const detail = `${mib(memoryBytes)}; an instance takes up to ${mib(needed)}`;
  if (needed <= memoryBytes) section.ok('memory', `${detail}, without its connections`);
  else {
    const advice = 'raise the memory limit, or set FOREBAY_WORKERS or FOREBAY_BUFFER_BYTES lower';
    section.warn('memory', detail, `${advice} (docs/sizing.md)`);
  }
  if (maxRssBytes === 0 || maxRssBytes >= bufferBytes + workerBytes) return;
  const bound = `FOREBAY_MAX_RSS_BYTES is ${mib(maxRssBytes)}, a full buffer takes ${mib(bufferBytes + workerBytes)}`;
  section.warn('memory', bound, `set it to ${bufferBytes + workerBytes} or more`);
}

function checkAccess(config: Config, section: Section): void {
  const { host, tlsCertFile } = config;
  if (isLoopback(host)) return section.ok('access', `clients of this machine only (${host})`);
  const tls = tlsCertFile === undefined ? 'without TLS' : 'with TLS';
  if (requiresAuthentication(config)) {
    return section.ok('access', `clients of ${host} authenticate, ${tls}`);
  }
  const advice = 'set FOREBAY_KEYS_FILE or a JWKS, or let a proxy in front authenticate clients';
  section.warn('access', `any client of ${host} may send events, ${tls}`, advice);
}

function checkCodec({ compression }: Config, section: Section): void {
  try {
    configuredCodec(compression);
    section.ok('compression', compression);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    section.fail('compression', error.message, 'choose another codec');
  }
}

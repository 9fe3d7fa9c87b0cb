/** Connects to one broker, step by step: host name, port, TLS, protocol, login. */
import { lookup } from 'node:dns/promises';
import net, { type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { systemReason } from '../../common/errors.ts';
import { type Certificate, certificateOf, validityOf } from '../../config/pem.ts';
import {
  type BrokerAddress,
  connectSocket,
  formatBrokerAddress,
} from '../../kafka/broker-address.ts';
import { describeSocketError, reasonFor } from '../../worker/producer/connection-errors.ts';
import {
  type ApiVersions,
  type ClusterMetadata,
  decodeMetadata,
} from '../../worker/producer/kafkajs.ts';
import { Link, type LinkError, type LinkOptions } from '../../worker/producer/link.ts';
import { METADATA, metadataBody } from '../../worker/producer/protocol.ts';
import { hasTopicIds, missingApis, releaseOf } from './kafka-kind.ts';
import { DOCTOR_LIMITS, DOCTOR_TIMEOUTS } from './limits.ts';
import type { Status, StepResult } from './report.ts';

export const BROKER_STEPS = ['host name', 'port', 'TLS', 'protocol', 'login'] as const;
type Step = (typeof BROKER_STEPS)[number];

/** Connection to the brokers according to the settings. */
export interface BrokerConnection {
  readonly link: LinkOptions;
  /** User and mechanism for the report; undefined = no SASL. */
  readonly login: string | undefined;
}

/** A broker that answers requests. */
export interface ReachedBroker {
  readonly link: Link;
  readonly versions: ApiVersions;
  readonly cluster: ClusterMetadata;
}

export interface BrokerProbe {
  readonly address: BrokerAddress;
  readonly steps: readonly StepResult[];
  /** Undefined = a step failed. The caller closes its link. */
  readonly reached: ReachedBroker | undefined;
  readonly tookMs: number;
}

class StepFailed extends Error {}

/** Probes a broker. Never throws; ends within seconds per step. */
export async function probeBroker(
  address: BrokerAddress,
  connection: BrokerConnection,
): Promise<BrokerProbe> {
  const startMs = performance.now();
  const probe = new Probe(address, connection);
  const reached = await probe.run();
  const tookMs = Math.round(performance.now() - startMs);
  return { address, steps: probe.steps, reached, tookMs };
}

class Probe {
  readonly steps: StepResult[] = [];
  readonly #address: BrokerAddress;
  readonly #connection: BrokerConnection;

  constructor(address: BrokerAddress, connection: BrokerConnection) {
    this.#address = address;
    this.#connection = connection;
  }

  async run(): Promise<ReachedBroker | undefined> {
    try {
      await this.#resolve();
      await this.#connect();
      const { ssl } = this.#connection.link;
      if (ssl === undefined) this.#skip('TLS', 'KAFKA_TLS is not 1');
      else await this.#secure(ssl);
      const versions = await this.#readVersions();
      return await this.#logIn(versions);
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      const failed = this.steps.at(-1)?.step ?? '';
      for (const step of BROKER_STEPS.slice(this.steps.length)) {
        this.#skip(step, `the step ${failed} failed`);
      }
      return undefined;
    }
  }

  async #resolve(): Promise<void> {
    const { host } = this.#address;
    if (net.isIP(host) !== 0) return this.#add('host name', 'ok', `${host} is an address`);
    try {
      const found = await within(DOCTOR_LIMITS.resolveMs, lookup(host, { all: true }));
      const shown = found.slice(0, DOCTOR_LIMITS.addressesShown).map(({ address }) => address);
      const more = found.length > shown.length ? ` and ${found.length - shown.length} more` : '';
      this.#add('host name', 'ok', `${host} is ${shown.join(', ')}${more}`);
    } catch (error) {
      const why = error instanceof TimedOut ? error.message : systemReason(error);
      this.#fail('host name', `${host} cannot be resolved: ${why}`, RESOLVE_ADVICE);
    }
  }

  async #connect(): Promise<void> {
    const startMs = performance.now();
    try {
      const socket = await opened(this.#address, undefined);
      socket.destroy();
    } catch (error) {
      const why = error instanceof TimedOut ? error.message : systemReason(error);
      const shown = formatBrokerAddress(this.#address);
      this.#fail('port', `no connection to ${shown}: ${why}`, portAdvice(error));
    }
    const ms = Math.round(performance.now() - startMs);
    const isSlow = ms > DOCTOR_LIMITS.slowMs;
    this.#add('port', isSlow ? 'warn' : 'ok', `connected in ${ms} ms`, isSlow ? SLOW : undefined);
  }

  async #secure(ssl: object): Promise<void> {
    try {
      const socket = (await opened(this.#address, ssl)) as TLSSocket;
      const protocol = socket.getProtocol() ?? 'TLS';
      const x509 = socket.getPeerX509Certificate();
      socket.destroy();
      const certificate = x509 && certificateOf(x509);
      const { status, text, advice } = validityNote(certificate);
      const subject = certificate === undefined ? '' : `, certificate of ${certificate.subject}`;
      this.#add('TLS', status, `${protocol}${subject}${text}`, advice);
    } catch (error) {
      const message = describeSocketError(error as Error);
      const reason = reasonFor({ why: 'connection', message });
      this.#fail('TLS', withMessage(reason, message), TLS_ADVICE);
    }
  }

  /** Requests ApiVersions, which brokers answer before a login. */
  async #readVersions(): Promise<ApiVersions> {
    const link = new Link(this.#address, { ...this.#connection.link, sasl: undefined });
    try {
      await link.open(DOCTOR_TIMEOUTS);
    } catch (error) {
      const failure = error as LinkError;
      const reason = reasonFor(failure);
      const advice = /certificate/.test(reason) ? CERTIFICATE_ADVICE : PORT_ADVICE;
      return this.#fail('protocol', withMessage(reason, failure.message), advice);
    }
    const { versions } = link;
    link.close();
    const missing = missingApis(versions);
    if (missing.length > 0) {
      const detail = `${releaseOf(versions)}, without ${missing.join(', ')}`;
      this.#fail('protocol', detail, 'upgrade the brokers: the gateway needs Kafka 2.1 or later');
    }
    const ids = hasTopicIds(versions) ? '' : ', no topic ids';
    this.#add('protocol', 'ok', `${releaseOf(versions)}${ids}`);
    return versions;
  }

  /** Logs in, and sends a first request. */
  async #logIn(versions: ApiVersions): Promise<ReachedBroker> {
    const { login, link: options } = this.#connection;
    const link = new Link(this.#address, options);
    try {
      await link.open(DOCTOR_TIMEOUTS);
      const body = metadataBody([]);
      const cluster = await link.request(METADATA, body, decodeMetadata, DOCTOR_TIMEOUTS);
      this.#add('login', 'ok', login ?? 'none: no SASL mechanism is set, and none is required');
      return { link, versions, cluster };
    } catch (error) {
      link.close();
      const failure = error as LinkError;
      const reason = withMessage(reasonFor(failure), failure.message);
      if (login === undefined) return this.#fail('login', reason, NO_LOGIN_ADVICE);
      return this.#fail('login', `${login}: ${reason}`, LOGIN_ADVICE);
    }
  }

  #add(step: Step, status: Status, detail: string, advice?: string): void {
    this.steps.push({ step, status, detail, ...(advice !== undefined && { advice }) });
  }

  #skip(step: Step, reason: string): void {
    this.#add(step, 'skip', reason);
  }

  #fail(step: Step, detail: string, advice: string): never {
    this.#add(step, 'fail', detail, advice);
    throw new StepFailed();
  }
}

const RESOLVE_ADVICE =
  'check the name in KAFKA_BROKERS and the resolver of this machine or container';
const PORT_ADVICE = 'use the port of a listener for clients, with its protocol (TLS or not)';
const TLS_ADVICE =
  'compare KAFKA_TLS, KAFKA_TLS_CA_FILE and the name in KAFKA_BROKERS with the broker’s listener';
const CERTIFICATE_ADVICE =
  'set KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE to a certificate that the broker trusts';
const LOGIN_ADVICE =
  'check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and the password, and the user on the broker';
const NO_LOGIN_ADVICE =
  'the listener may require a login (KAFKA_SASL_*) or a client certificate (KAFKA_TLS_CERT_FILE)';
const SLOW = 'a first attempt of the gateway times out: check the network, and load on the broker';

function portAdvice(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'nothing listens there: check the port, and start the broker';
  return 'check routes, firewalls and security groups between this machine and the broker';
}

/** Returns the part of a report on a certificate’s dates. */
function validityNote(certificate: Certificate | undefined): {
  readonly status: Status;
  readonly text: string;
  readonly advice?: string;
} {
  if (certificate === undefined || validityOf(certificate, Date.now()) === 'valid') {
    return { status: 'ok', text: '' };
  }
  const text = `, which expires on ${new Date(certificate.notAfterMs).toISOString()}`;
  return { status: 'warn', text, advice: 'renew the certificate of the broker' };
}

/** Adds the message of a peer or library to a reason, unless it says the same. */
function withMessage(reason: string, message: string): string {
  return message === '' || reason.includes(message) ? reason : `${reason} (${message})`;
}

class TimedOut extends Error {}

/** @throws TimedOut */
async function within<T>(ms: number, pending: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimedOut(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([pending, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Opens a socket, with the TLS handshake if there are options for it. */
async function opened(address: BrokerAddress, ssl: object | undefined): Promise<Socket> {
  let socket: Socket | undefined;
  const connected = new Promise<Socket>((resolve, reject) => {
    socket = connectSocket(address, ssl, () => resolve(socket!));
    socket.on('error', reject);
    socket.once('close', () => reject(new Error('the peer closed the connection')));
  });
  try {
    return await within(DOCTOR_TIMEOUTS.handshakeMs, connected);
  } catch (error) {
    socket?.destroy();
    throw error;
  }
}

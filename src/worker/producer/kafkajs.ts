/**
 * Boundary of kafkajs 2.2.4 (pinned exactly). It provides connections with TLS and SASL, API
 * versions, and the decoder of metadata. The gateway writes requests to the open socket itself:
 * kafkajs's send path costs more CPU than the rest of a produce request. Internals without types
 * are declared here.
 */
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { LIMITS } from '../../config/limits.ts';
import '../../kafka/request-queue.ts';

interface RequestQueue {
  /** Delays the next request; null = the response has no throttle time. */
  maybeThrottle(throttleMs: number | null): void;
}

export interface KafkaConnection {
  isConnected(): boolean;
  /** The SASL session is valid, and stays so for seconds. */
  isAuthenticated(): boolean;
  /** Authenticates again. */
  authenticate(): Promise<void>;
  /** SASL session lifetime, an int64 of the package `long`; 0 = unlimited. */
  readonly sessionLifetime: { toNumber(): number };
  /** Time before the end of the session at which to reauthenticate. */
  reauthenticationThreshold: number;
}

interface ConnectionPool {
  getConnection(): Promise<KafkaConnection>;
}

/** Request versions that a broker supports, by API key. */
export type ApiVersions = Readonly<Record<number, { minVersion: number; maxVersion: number }>>;

interface Broker {
  /** Null until the peer has answered ApiVersions. */
  readonly versions: ApiVersions | null;
  connect(): Promise<void>;
}

/** An authenticated connection. */
export interface OpenConnection {
  readonly connection: KafkaConnection;
  readonly versions: ApiVersions;
}

export type SocketFactory = (options: {
  host: string;
  port: number;
  ssl: object | undefined;
  onConnect: () => void;
}) => Socket;

export type LogWriter = (entry: { log: { message: string } }) => void;

export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly ssl: object | undefined;
  readonly sasl: object | undefined;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly socketFactory: SocketFactory;
  readonly log: LogWriter;
}

export interface ClusterMetadata {
  /** Only in versions that kafkajs decodes; null = the cluster has none. */
  readonly clusterId?: string | null;
  readonly brokers: readonly { nodeId: number; host: string; port: number }[];
  readonly topicMetadata: readonly {
    topicErrorCode: number;
    topic: string;
    /** Only in versions that kafkajs does not decode, and only if the broker has ids. */
    topicId?: string;
    partitionMetadata: readonly {
      partitionErrorCode: number;
      partitionId: number;
      leader: number;
      /** Broker ids, only in versions that kafkajs decodes. */
      replicas?: readonly number[];
      isr?: readonly number[];
    }[];
  }[];
}

const PRODUCE_KEY = 0;

// `import` of these CommonJS modules adds 100 ms to a worker's start over `require`.
const require = createRequire(import.meta.url);
const BrokerClass = require('kafkajs/src/broker') as new (options: object) => Broker;
const connectionPoolBuilder = require('kafkajs/src/cluster/connectionPoolBuilder') as (
  options: object,
) => { build(address: { host: string; port: number }): Promise<ConnectionPool> };
const RequestQueueClass = require('kafkajs/src/network/requestQueue') as {
  readonly prototype: RequestQueue;
};
const { createLogger, LEVELS } = require('kafkajs/src/loggers') as {
  createLogger(options: object): object;
  LEVELS: { WARN: number };
};
const metadataResponse = require('kafkajs/src/protocol/requests/metadata/v4/response') as {
  decode(raw: Buffer): Promise<ClusterMetadata>;
};

// kafkajs honors any throttle time: its admin client would wait for weeks.
const { maybeThrottle } = RequestQueueClass.prototype;
RequestQueueClass.prototype.maybeThrottle = function (this: RequestQueue, throttleMs) {
  maybeThrottle.call(this, Math.min(throttleMs ?? 0, LIMITS.throttleMs));
};

/** Opens an authenticated connection. It may fail at any time, and is never reused then. */
export async function connectBroker(options: ConnectOptions): Promise<OpenConnection> {
  const { host, port, log, ...connection } = options;
  const logger = createLogger({ level: LEVELS.WARN, logCreator: () => log });
  const builder = connectionPoolBuilder({
    ...connection,
    logger,
    brokers: [`${host}:${port}`],
    // WatchedSocket destroys the socket of a request that times out; kafkajs would keep it.
    enforceRequestTimeout: false,
    maxInFlightRequests: null,
  });
  const pool = await builder.build({ host, port });
  const broker = new BrokerClass({ connectionPool: pool, logger, allowAutoTopicCreation: false });
  try {
    await broker.connect();
  } catch (error) {
    // Authentication fails on a controller too, whatever the credentials.
    demandBroker(broker);
    throw error;
  }
  demandBroker(broker);
  const connected = await pool.getConnection();
  keepMargin(connected);
  return { connection: connected, versions: broker.versions ?? {} };
}

/** @throws Error if the peer is a KRaft controller, which does not serve Produce */
function demandBroker({ versions }: Broker): void {
  if (versions !== null && versions[PRODUCE_KEY] === undefined) {
    throw new Error('the peer is a KRaft controller: it takes no Produce requests');
  }
}

/** Reauthenticates a session that is about to expire. @throws errors of kafkajs */
export async function reauthenticate(connection: KafkaConnection): Promise<void> {
  await connection.authenticate();
  keepMargin(connection);
}

/**
 * Reduces the reauthentication margin. kafkajs uses 10 s, so a shorter session would reauthenticate
 * with each request, and brokers reject two within a second.
 */
function keepMargin(connection: KafkaConnection): void {
  const { marginMs, share } = LIMITS.session;
  const lifetimeMs = connection.sessionLifetime.toNumber();
  connection.reauthenticationThreshold = Math.min(marginMs, share * lifetimeMs);
}

/** Decodes a Metadata response of version 4. Returns error codes; throws for none of them. */
export function decodeMetadata(raw: Buffer): Promise<ClusterMetadata> {
  return metadataResponse.decode(raw);
}

/**
 * The one file that reaches into kafkajs 2.2.4 (pinned exactly). Used of it: connections with TLS
 * and SASL, API versions, and the decoding of metadata. Once a connection is open its socket is
 * ours: kafkajs's own way of sending costs more CPU than all the rest of a produce request.
 * What its types leave out is declared here.
 */
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { LIMITS } from '../../config/limits.ts';

interface RequestQueue {
  pending: unknown[];
  /** Holds what is sent next; null = the response says nothing of it. */
  maybeThrottle(throttleMs: number | null): void;
  scheduleCheckPendingRequests(): void;
}

export interface KafkaConnection {
  readonly requestQueue: RequestQueue;
  isConnected(): boolean;
  /** The session that the login began has not ended yet, nor will within seconds. */
  isAuthenticated(): boolean;
  /** Logs in again. */
  authenticate(): Promise<void>;
  /** How long the broker takes this login for good; an int64 of the package `long`; 0 = for ever. */
  readonly sessionLifetime: { toNumber(): number };
  /** So long before the end of that, the login is to be renewed. */
  reauthenticationThreshold: number;
}

interface ConnectionPool {
  getConnection(): Promise<KafkaConnection>;
}

/** Versions of requests that a broker takes, by key. */
export type ApiVersions = Readonly<Record<number, { minVersion: number; maxVersion: number }>>;

interface Broker {
  /** null until the other side has said what it takes. */
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
  readonly brokers: readonly { nodeId: number; host: string; port: number }[];
  readonly topicMetadata: readonly {
    topicErrorCode: number;
    topic: string;
    /** Only in versions that kafkajs does not decode; absent also where the broker gives none. */
    topicId?: string;
    partitionMetadata: readonly {
      partitionErrorCode: number;
      partitionId: number;
      leader: number;
    }[];
  }[];
}

const PRODUCE_KEY = 0;

// `import` of these CommonJS modules takes 100 ms more of a worker's start than `require`.
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

// kafkajs obeys a throttle of any length: its admin client would wait for weeks.
const { maybeThrottle } = RequestQueueClass.prototype;
RequestQueueClass.prototype.maybeThrottle = function (this: RequestQueue, throttleMs) {
  maybeThrottle.call(this, Math.min(throttleMs ?? 0, LIMITS.throttleMs));
};

/** Opens an authenticated connection. It may fail at any time, and is then never used again. */
export async function connectBroker(options: ConnectOptions): Promise<OpenConnection> {
  const { host, port, log, ...connection } = options;
  const logger = createLogger({ level: LEVELS.WARN, logCreator: () => log });
  const builder = connectionPoolBuilder({
    ...connection,
    logger,
    brokers: [`${host}:${port}`],
    // Our watch destroys the socket of a request that takes too long; kafkajs would keep it open.
    enforceRequestTimeout: false,
    maxInFlightRequests: null,
  });
  const pool = await builder.build({ host, port });
  const broker = new BrokerClass({ connectionPool: pool, logger, allowAutoTopicCreation: false });
  try {
    await broker.connect();
  } catch (error) {
    // A login fails there too: that says nothing about the credentials.
    demandBroker(broker);
    throw error;
  }
  demandBroker(broker);
  const connected = await pool.getConnection();
  stopIdleTimer(connected.requestQueue);
  keepMargin(connected);
  return { connection: connected, versions: broker.versions ?? {} };
}

/** @throws Error when the other side is a KRaft controller, which takes no Produce requests */
function demandBroker({ versions }: Broker): void {
  if (versions !== null && versions[PRODUCE_KEY] === undefined) {
    throw new Error('the peer is a KRaft controller: it takes no Produce requests');
  }
}

/** Logs in again where the session ends soon. @throws what kafkajs throws */
export async function renewLogin(connection: KafkaConnection): Promise<void> {
  await connection.authenticate();
  keepMargin(connection);
}

/**
 * kafkajs would renew each login 10 s before its end: one of a shorter session with each request,
 * and brokers refuse two within a second.
 */
function keepMargin(connection: KafkaConnection): void {
  const { marginMs, share } = LIMITS.session;
  const lifetimeMs = connection.sessionLifetime.toNumber();
  connection.reauthenticationThreshold = Math.min(marginMs, share * lifetimeMs);
}

/** kafkajs re-arms a 1 ms timer for ever, to look at a queue that is empty here. */
function stopIdleTimer(queue: RequestQueue): void {
  const check = queue.scheduleCheckPendingRequests;
  queue.scheduleCheckPendingRequests = () => {
    if (queue.pending.length > 0) check.call(queue);
  };
}

/** Decodes a Metadata response of version 4. Error codes stand in it; none is thrown. */
export function decodeMetadata(raw: Buffer): Promise<ClusterMetadata> {
  return metadataResponse.decode(raw);
}

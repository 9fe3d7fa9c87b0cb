/** Broker addresses in KAFKA_BROKERS, sockets and log lines. */
import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import type { KafkaConfig } from 'kafkajs';
import { MIB } from '../config/limits.ts';
import { guardResponses } from './response-guard.ts';

export interface BrokerAddress {
  /** Host name, or IP address without brackets. */
  readonly host: string;
  readonly port: number;
}

const PORT_MAX = 65_535;
const ADDRESS = /^(?:\[(?<ipv6>[^\]]+)\]|(?<name>[A-Za-z0-9._-]+)):(?<port>\d{1,5})$/;

/** Parses `host:port`, with IPv6 addresses in brackets; undefined for anything else. */
export function parseBrokerAddress(text: string): BrokerAddress | undefined {
  const { ipv6, name = '', port = '' } = ADDRESS.exec(text)?.groups ?? {};
  if (ipv6 !== undefined && !net.isIPv6(ipv6)) return undefined;
  const number = Number(port);
  return number >= 1 && number <= PORT_MAX ? { host: ipv6 ?? name, port: number } : undefined;
}

/** Returns a correction for an invalid address, as the end of a sentence; '' if unknown. */
export function brokerAddressHint(text: string): string {
  const isAddress = (other: string) => parseBrokerAddress(other) !== undefined;
  const [scheme] = /^[a-z][\w+.-]*:\/\//i.exec(text) ?? [];
  if (scheme !== undefined) return `, without ${scheme}`;
  if (/["'\u2018-\u201f]/.test(text)) return ', without quotes';
  if (/[\s;]/.test(text)) return ' instead of spaces or semicolons';
  if (/:\d+$/.test(text) && isAddress(text.replace(/\d+$/, '1'))) {
    return `, ports from 1 to ${PORT_MAX}`;
  }
  if (isAddress(`${text.replace(/:$/, '')}:1`)) return ', each with a port like localhost:9092';
  return /:.*:|[[\]]/.test(text) ? ', IPv6 addresses in brackets like [::1]:9092' : '';
}

export function formatBrokerAddress({ host, port }: BrokerAddress): string {
  return net.isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Domain of IPv6 addresses where colons are not allowed, as in Windows UNC paths: `::1` is
 * `--1.ipv6-literal.net`.
 */
const LITERAL = '.ipv6-literal.net';
const KEEP_ALIVE_MS = 60_000;
/** Record batches may be long; bytes of another protocol nearly always imply a longer response. */
const RESPONSE_BYTES_MAX = 256 * MIB;

/**
 * Returns bootstrap brokers for kafkajs's `Kafka`, which splits each one at its first colons. IPv6
 * addresses are passed without colons and restored before the socket connects. The sockets are
 * guarded against responses that no broker sends.
 */
export function bootstrapOptions(
  brokers: readonly string[],
): Pick<KafkaConfig, 'brokers' | 'socketFactory'> {
  const hosts = new Map<string, string>();
  const masked = brokers.map((broker) => {
    const address = parseBrokerAddress(broker);
    if (address === undefined || !net.isIPv6(address.host)) return broker;
    const mask = address.host.replaceAll(':', '-').replace('%', 's') + LITERAL;
    hosts.set(mask, address.host);
    return `${mask}:${address.port}`;
  });
  return {
    brokers: masked,
    socketFactory: ({ host, port, ssl, onConnect }) => {
      const socket = connectSocket({ host: hosts.get(host) ?? host, port }, ssl, onConnect);
      guardResponses(socket, {
        maxBytes: RESPONSE_BYTES_MAX,
        refused: () => socket.destroy(new Error('the peer sent a response that no broker sends')),
      });
      return socket;
    },
  };
}

/** Restores the address of a broker masked by {@link bootstrapOptions}, for log lines. */
export function unmaskBroker(broker: string): string {
  const [host = '', port] = broker.split(':');
  if (!host.endsWith(LITERAL)) return broker;
  // Addresses contain no s.
  const [digits = '', ...zone] = host.slice(0, -LITERAL.length).split('s');
  const address = digits.replaceAll('-', ':');
  return `[${zone.length > 0 ? `${address}%${zone.join('s')}` : address}]:${port}`;
}

/** Connects to a broker; with `ssl`, sends SNI unless the host is an IP address. */
export function connectSocket(
  { host, port }: BrokerAddress,
  ssl: object | undefined,
  onConnect: () => void,
): Socket {
  const servername = net.isIP(host) === 0 ? { servername: host } : {};
  const socket = ssl
    ? tls.connect({ host, port, ...servername, ...ssl }, onConnect)
    : net.connect({ host, port }, onConnect);
  return socket.setKeepAlive(true, KEEP_ALIVE_MS);
}

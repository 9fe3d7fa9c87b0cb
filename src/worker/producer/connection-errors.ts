/** Part of a `LinkError` that explains it. */
export interface ConnectionFailure {
  readonly why: string;
  readonly message: string;
}

/** Bytes of a foreign response that {@link describeForeignResponse} quotes. */
const FOREIGN_BYTES_MAX = 60;

/**
 * Explanations of errors of OpenSSL, Node.js, kafkajs and foreign servers; the first match wins.
 */
const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [
    // HTTP/0.9 servers send only the page; blank lines are escaped as in JSON.
    /^the peer answered "(\\[rnt]| )*(HTTP\/|<!doctype html|<html)/i,
    'an HTTP server answers there, not Kafka: see the port',
  ],
  [/^the peer answered "SSH-/i, 'an SSH server answers there, not Kafka: see the port'],
  [/^the peer answered "-[A-Z]+ /, 'a Redis server answers there, not Kafka: see the port'],
  [
    /^the peer answered "E.*(FATAL|ERROR)/,
    'a PostgreSQL server answers there, not Kafka: see the port',
  ],
  [/^the peer answered "\\u0015\\u0003/, 'the port expects TLS: KAFKA_TLS=1'],
  [/^the peer answered "/, 'something other than Kafka answers there: see the port'],
  [
    /^the peer is a KRaft controller/,
    'the port is that of a KRaft controller: use a broker’s port',
  ],
  [/^connection lost: /, 'the connection to Kafka was lost'],
  [
    /before secure TLS|wrong version number|packet length too long/i,
    'Kafka does not answer the TLS handshake: does the broker speak TLS?',
  ],
  // A TLS alert comes from the broker: it rejects this client.
  [
    /alert .*(certificate|unknown ca)/i,
    'the broker rejects the client certificate, or requires one: KAFKA_TLS_CERT_FILE',
  ],
  [/altnames/i, 'the broker’s certificate is for another host'],
  [/certificate is not yet valid/i, 'the broker’s certificate is not valid yet: see the clocks'],
  [/certificate has expired/i, 'the broker’s certificate has expired'],
  [/certificate/i, 'the broker’s certificate is not trusted: KAFKA_TLS_CA_FILE'],
  [/ENOTFOUND|EAI_AGAIN/, 'Kafka cannot be reached: the host name cannot be resolved'],
  [/ECONNREFUSED/, 'Kafka cannot be reached: connection refused'],
  [/EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN/, 'Kafka cannot be reached: no route to the host'],
  [
    /^no connection within|ETIMEDOUT|connection timeout/i,
    'Kafka cannot be reached: no connection in time',
  ],
  [/^no answer within/, 'the port accepts connections but does not answer: is it a broker’s?'],
];

/** Errors of a connection that closed before it was ready. */
const CLOSED = /closed|ECONNRESET|ECONNABORTED|EPIPE|socket hang up/i;

/**
 * Returns the reason why a connection to Kafka failed, for /readyz and the log: without addresses,
 * and without text from the peer.
 */
export function reasonFor({ why, message }: ConnectionFailure): string {
  const found = MEANINGS.find(([pattern]) => pattern.test(message));
  if (found !== undefined) return found[1];
  if (why === 'configuration') return 'Kafka authentication failed';
  if (why === 'guard' || why === 'request_timeout') return 'Kafka does not answer';
  if (CLOSED.test(message) && why === 'connection') {
    return (
      'Kafka closed the connection: does the broker expect TLS or SASL, ' +
      'or is the port not a broker’s (a controller’s, ZooKeeper’s)?'
    );
  }
  return 'Kafka cannot be reached';
}

/** Returns the error text for bytes that no broker sends. */
export function describeForeignResponse(bytes: Buffer): string {
  const text = bytes.subarray(0, FOREIGN_BYTES_MAX).toString('latin1');
  // Escapes as in JSON, so that no control character reaches a terminal.
  const shown = JSON.stringify(text).replace(/[\x7f-\xff]/g, '?');
  return `the peer answered ${shown}`;
}

/** Returns the text of a socket error; an aggregate over several addresses has none of its own. */
export function describeSocketError(error: Error & { code?: string }): string {
  const each = error instanceof AggregateError ? (error.errors as Error[]) : [];
  return error.message || each.map(({ message }) => message).join('; ') || (error.code ?? '');
}

import type { LinkError } from './link.ts';

/** What OpenSSL, Node.js and kafkajs say, and what it means; the first that matches holds. */
const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [
    /before secure TLS|wrong version number|packet length too long/i,
    'Kafka does not answer the TLS handshake: does the broker speak TLS?',
  ],
  // An alert is the broker's word about us.
  [
    /alert .*(certificate|unknown ca)/i,
    'the broker does not accept our certificate, or wants one: KAFKA_TLS_CERT_FILE',
  ],
  [/altnames/i, 'the broker’s certificate is for another host'],
  [/certificate has expired/i, 'the broker’s certificate has expired'],
  [/certificate/i, 'the broker’s certificate is not trusted: KAFKA_TLS_CA_FILE'],
];

/** Why Kafka cannot be asked, for people who look at /readyz: no addresses in it. */
export function reasonFor({ why, message }: Pick<LinkError, 'why' | 'message'>): string {
  const found = MEANINGS.find(([pattern]) => pattern.test(message));
  if (found !== undefined) return found[1];
  if (/closed/i.test(message) && why === 'connection') {
    return 'Kafka closed the connection: does the broker expect TLS or SASL?';
  }
  return 'Kafka cannot be reached';
}

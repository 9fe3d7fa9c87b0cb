/** From our settings to kafkajs's: brokers, TLS, SASL. Producer, listener and tools start here. */
import { createSecureContext } from 'node:tls';
import type { KafkaConfig, logLevel, SASLOptions } from 'kafkajs';
import { bootstrapOptions } from './broker-address.ts';
import type { Config } from './config.ts';
import { EXIT, StartError } from './errors.ts';
import { LIMITS } from './limits.ts';
import { readPem } from './pem.ts';
import { readSecret } from './secret-files.ts';

/** kafkajs's own constant; importing it would load all of kafkajs. */
const LOG_NOTHING: logLevel.NOTHING = 0;

type ConnectionSettings = Pick<
  Config,
  | 'kafkaBrokers'
  | 'kafkaClientId'
  | 'kafkaTls'
  | 'kafkaTlsCaFile'
  | 'kafkaTlsCertFile'
  | 'kafkaTlsKeyFile'
  | 'kafkaSaslMechanism'
  | 'kafkaSaslUsername'
  | 'kafkaSaslPassword'
  | 'kafkaSaslPasswordFile'
>;

/**
 * How to reach the brokers, for kafkajs's `Kafka`. It logs nothing by itself: a caller that wants
 * its lines sets `logLevel` and `logCreator`.
 * @throws StartError (exit code 1) when a file of the settings cannot be read or used
 */
export function kafkaOptions(config: ConnectionSettings): KafkaConfig {
  const ssl = tlsOptions(config);
  const sasl = saslOptions(config);
  return {
    clientId: config.kafkaClientId,
    ...bootstrapOptions(config.kafkaBrokers),
    logLevel: LOG_NOTHING,
    reauthenticationThreshold: LIMITS.session.ofKafkajsMs,
    ...(ssl === undefined ? {} : { ssl }),
    ...(sasl === undefined ? {} : { sasl }),
  };
}

function tlsOptions(config: ConnectionSettings): NonNullable<KafkaConfig['ssl']> | undefined {
  if (!config.kafkaTls) return undefined;
  const { kafkaTlsCaFile: ca, kafkaTlsCertFile: cert, kafkaTlsKeyFile: key } = config;
  const options = {
    ...(ca === undefined ? {} : { ca: readPem('KAFKA_TLS_CA_FILE', ca, 'CERTIFICATE') }),
    ...(cert === undefined ? {} : { cert: readPem('KAFKA_TLS_CERT_FILE', cert, 'CERTIFICATE') }),
    ...(key === undefined ? {} : { key: readPem('KAFKA_TLS_KEY_FILE', key, 'PRIVATE KEY') }),
  };
  try {
    createSecureContext(options);
  } catch (error) {
    const reason = (error as Error).message;
    throw new StartError(`KAFKA_TLS_*_FILE: cannot be used for TLS (${reason})`, EXIT.failed);
  }
  return options;
}

function saslOptions(config: ConnectionSettings): SASLOptions | undefined {
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername: username = '' } = config;
  if (mechanism === undefined) return undefined;
  const file = config.kafkaSaslPasswordFile;
  const password =
    file === undefined
      ? (config.kafkaSaslPassword ?? '')
      : readSecret('KAFKA_SASL_PASSWORD_FILE', file);
  return { mechanism, username, password };
}

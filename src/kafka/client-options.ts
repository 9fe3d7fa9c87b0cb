/** Maps settings to options of kafkajs: brokers, TLS, SASL. For workers, the CLI and tools. */
import type { KafkaConfig, logLevel, SASLOptions } from 'kafkajs';
import { attemptAll } from '../common/errors.ts';
import type { Config } from '../config/config.ts';
import { LIMITS } from '../config/limits.ts';
import { readKeyPair, readPem } from '../config/pem.ts';
import { readSecret } from '../config/secret-files.ts';
import { bootstrapOptions } from './broker-address.ts';

/** Constant of kafkajs; importing it would load all of kafkajs. */
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
 * Returns connection options for kafkajs's `Kafka`. Logging is off: callers that want log lines set
 * `logLevel` and `logCreator`.
 * @throws StartError (exit code 1) that names each unusable file of the settings
 */
export function kafkaOptions(config: ConnectionSettings): KafkaConfig {
  const [ssl, sasl] = attemptAll(
    () => tlsOptions(config),
    () => saslOptions(config),
  );
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
  const { kafkaTlsCaFile, kafkaTlsCertFile, kafkaTlsKeyFile } = config;
  const [ca, pair] = attemptAll(
    () => kafkaTlsCaFile && readPem('KAFKA_TLS_CA_FILE', kafkaTlsCaFile, 'CERTIFICATE'),
    () =>
      kafkaTlsCertFile &&
      kafkaTlsKeyFile &&
      readKeyPair(
        { env: 'KAFKA_TLS_CERT_FILE', path: kafkaTlsCertFile },
        { env: 'KAFKA_TLS_KEY_FILE', path: kafkaTlsKeyFile },
      ),
  );
  return { ...(ca && { ca }), ...(pair && { cert: pair.cert, key: pair.key }) };
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

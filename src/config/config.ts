/** The configuration: settings read from environment variables, and the relations among them. */

import { EXIT, StartError } from '../common/errors.ts';
import { isLoopback } from '../common/ip-addresses.ts';
import { redactedValue } from '../common/redact.ts';
import type { ValuesOf } from './setting-kinds.ts';
import { SETTING_ENTRIES, type SETTINGS } from './settings.ts';
import { type Environment, isServiceAddress, unknownVariables } from './unknown-settings.ts';

/** Effective settings; the contents of files are checked by file-check.ts. */
export type Config = ValuesOf<typeof SETTINGS>;

/** Returns whether clients must authenticate. */
export function requiresAuthentication(
  config: Pick<Config, 'keysFile' | 'jwtJwksFile' | 'jwtJwksUrl'>,
): boolean {
  return (config.keysFile ?? config.jwtJwksFile ?? config.jwtJwksUrl) !== undefined;
}

const SERVICE_LINK_HINT =
  ': Kubernetes sets it for a service of that name, unless the pod has `enableServiceLinks: false`';

/**
 * Reads the settings from environment variables; an empty variable counts as unset.
 * @throws StartError (exit code 2) that names every invalid setting, a line each
 */
export function readConfig(env: Environment): Config {
  const values: Partial<Record<keyof Config, unknown>> = {};
  const errors: string[] = [];
  for (const [name, setting] of SETTING_ENTRIES) {
    const given = env[setting.env];
    if (given === undefined || given === '') {
      values[name] = setting.defaultValue();
      continue;
    }
    try {
      values[name] = setting.parse(given);
    } catch (error) {
      const text = JSON.stringify(redactedValue(given).slice(0, 100));
      const shown = setting.secret ? '' : `, not ${text}`;
      const hint = isServiceAddress(setting.env, given) ? SERVICE_LINK_HINT : '';
      errors.push(`${setting.env} ${(error as Error).message}${shown}${hint}`);
      values[name] = setting.defaultValue();
    }
  }
  errors.push(...contradictions(values as Config));
  if (errors.length > 0) {
    throw new StartError(`invalid settings:\n  ${errors.join('\n  ')}`, EXIT.configuration);
  }
  return values as Config;
}

/** Warnings about variables that look like settings but are not, a line each. */
export function unknownSettings(env: Environment): string[] {
  return unknownVariables(
    env,
    SETTING_ENTRIES.map(([, setting]) => setting.env),
  );
}

/** Errors of settings that are valid alone but not together. */
function contradictions(config: Config): string[] {
  const found: string[] = [];
  const demand = (holds: boolean, message: string) => holds || found.push(message);
  const samePort = config.port === config.adminPort;
  demand(!samePort, 'FOREBAY_PORT and FOREBAY_ADMIN_PORT must differ');
  demand(
    (config.tlsCertFile === undefined) === (config.tlsKeyFile === undefined),
    'FOREBAY_TLS_CERT_FILE and FOREBAY_TLS_KEY_FILE must be set together',
  );
  demand(
    config.adminToken === undefined || config.adminTokenFile === undefined,
    'FOREBAY_ADMIN_TOKEN and FOREBAY_ADMIN_TOKEN_FILE are mutually exclusive',
  );
  demand(
    config.tail !== '1' || (config.adminToken ?? config.adminTokenFile) !== undefined,
    'FOREBAY_TAIL=1 requires FOREBAY_ADMIN_TOKEN or FOREBAY_ADMIN_TOKEN_FILE; on loopback, ' +
      'FOREBAY_TAIL=open does not',
  );
  demand(
    config.tail !== 'open' || isLoopback(config.adminHost),
    `FOREBAY_TAIL=open requires a loopback FOREBAY_ADMIN_HOST, not ${config.adminHost}`,
  );
  demand(
    config.kafkaSaslPassword === undefined || config.kafkaSaslPasswordFile === undefined,
    'KAFKA_SASL_PASSWORD and KAFKA_SASL_PASSWORD_FILE are mutually exclusive',
  );
  demand(
    config.connectionEventsBurst === 0 || config.connectionEventsPerSecond > 0,
    'FOREBAY_CONNECTION_EVENTS_BURST requires FOREBAY_CONNECTION_EVENTS_PER_SECOND',
  );
  demand(
    config.addressEventsBurst === 0 || config.addressEventsPerSecond > 0,
    'FOREBAY_ADDRESS_EVENTS_BURST requires FOREBAY_ADDRESS_EVENTS_PER_SECOND',
  );
  demand(
    config.streamsFile === undefined || config.eventSchema === undefined,
    'FOREBAY_EVENT_SCHEMA and FOREBAY_STREAMS_FILE are mutually exclusive: streams name their schemas',
  );
  demand(
    config.schemaRegistryUrl !== undefined ||
      (config.schemaRegistryAuthFile ?? config.schemaRegistryCaFile) === undefined,
    'FOREBAY_SCHEMA_REGISTRY_*_FILE requires FOREBAY_SCHEMA_REGISTRY_URL',
  );
  const { jwtJwksFile, jwtJwksUrl, jwtAudience, jwtIssuer } = config;
  demand(
    jwtJwksFile === undefined || jwtJwksUrl === undefined,
    'FOREBAY_JWT_JWKS_FILE and FOREBAY_JWT_JWKS_URL are mutually exclusive',
  );
  const hasKeySet = (jwtJwksFile ?? jwtJwksUrl) !== undefined;
  // Without them, a key set would admit the bearer of any token of the issuer.
  demand(
    !hasKeySet || (jwtAudience !== undefined && jwtIssuer !== undefined),
    'FOREBAY_JWT_JWKS_FILE or _URL requires FOREBAY_JWT_AUDIENCE and FOREBAY_JWT_ISSUER',
  );
  demand(
    hasKeySet || (jwtAudience ?? jwtIssuer) === undefined,
    'FOREBAY_JWT_AUDIENCE and FOREBAY_JWT_ISSUER require FOREBAY_JWT_JWKS_FILE or _URL',
  );
  if (config.kafkaSaslMechanism !== undefined) {
    demand(
      config.kafkaSaslUsername !== undefined,
      'KAFKA_SASL_MECHANISM requires KAFKA_SASL_USERNAME',
    );
    demand(
      (config.kafkaSaslPassword ?? config.kafkaSaslPasswordFile) !== undefined,
      'KAFKA_SASL_MECHANISM requires KAFKA_SASL_PASSWORD or KAFKA_SASL_PASSWORD_FILE',
    );
  } else {
    demand(
      config.kafkaSaslUsername === undefined,
      'KAFKA_SASL_USERNAME requires KAFKA_SASL_MECHANISM',
    );
  }
  demand(
    (config.kafkaTlsCertFile === undefined) === (config.kafkaTlsKeyFile === undefined),
    'KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE must be set together',
  );
  demand(
    config.kafkaTls || (config.kafkaTlsCaFile ?? config.kafkaTlsCertFile) === undefined,
    'KAFKA_TLS_*_FILE requires KAFKA_TLS=1',
  );
  demand(
    config.maxFrameBytes <= config.bufferBytes / 64,
    'FOREBAY_MAX_FRAME_BYTES must be at most FOREBAY_BUFFER_BYTES / 64',
  );
  return found;
}

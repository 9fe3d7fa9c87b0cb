/** Declarations of the settings of the schema registry; see settings.ts. */
import { baseUrl, optional, text } from './setting-kinds.ts';

export const SCHEMA_REGISTRY_SETTINGS = {
  schemaRegistryUrl: baseUrl('FOREBAY_SCHEMA_REGISTRY_URL', {
    meaning:
      'base URL of a schema registry with Confluent’s REST API, for streams whose schema names a ' +
      'subject; http or https, its path is a prefix',
    primaryOnly: true,
  }),
  schemaRegistryAuthFile: optional('FOREBAY_SCHEMA_REGISTRY_AUTH_FILE', {
    meaning:
      'file with the credentials for the registry in one line: `user:password`, or a bearer token, ' +
      'which has no colon; read for each request',
    primaryOnly: true,
  }),
  schemaRegistryCaFile: optional('FOREBAY_SCHEMA_REGISTRY_CA_FILE', {
    meaning: 'PEM file with the CA certificates that the registry is verified against',
    primaryOnly: true,
  }),
  schemaRegistryCacheDir: text('FOREBAY_SCHEMA_REGISTRY_CACHE_DIR', {
    default: '.forebay/schemas',
    meaning:
      'directory with a copy of each schema of the registry, used while the registry does not ' +
      'respond; created if it does not exist',
    primaryOnly: true,
  }),
} as const;

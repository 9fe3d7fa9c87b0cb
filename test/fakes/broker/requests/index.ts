import type { Api } from '../api.ts';
import { apiVersions } from './api-versions.ts';
import { describeConfigs } from './describe-configs.ts';
import { fetch } from './fetch.ts';
import { initProducerId } from './init-producer-id.ts';
import { listOffsets } from './list-offsets.ts';
import { metadata } from './metadata.ts';
import { produce } from './produce.ts';
import { saslAuthenticate } from './sasl-authenticate.ts';
import { saslHandshake } from './sasl-handshake.ts';

export const APIS: readonly Api[] = [
  produce,
  fetch,
  listOffsets,
  metadata,
  saslHandshake,
  apiVersions,
  initProducerId,
  describeConfigs,
  saslAuthenticate,
];

/** All scenarios, in the order of the suite. */
import type { Scenario } from './scenario.ts';
import { against } from './scenarios/against.ts';
import { batched } from './scenarios/batched.ts';
import { bodies } from './scenarios/bodies.ts';
import { brokerKills } from './scenarios/broker-kills.ts';
import { compression } from './scenarios/compression.ts';
import { connections } from './scenarios/connections.ts';
import { headers } from './scenarios/headers.ts';
import { http1, http10, http100 } from './scenarios/http.ts';
import { idle } from './scenarios/idle.ts';
import { latency } from './scenarios/latency.ts';
import { mixed } from './scenarios/mixed.ts';
import { msgpack } from './scenarios/msgpack.ts';
import { others } from './scenarios/others.ts';
import { outage } from './scenarios/outage.ts';
import { overload } from './scenarios/overload.ts';
import { partitions } from './scenarios/partitions.ts';
import { requests } from './scenarios/requests.ts';
import { single } from './scenarios/single.ts';
import { sizes } from './scenarios/sizes.ts';
import { streams } from './scenarios/streams.ts';
import { transports } from './scenarios/transports.ts';
import { tutorial } from './scenarios/tutorial.ts';
import { workers } from './scenarios/workers.ts';

export const SCENARIOS: readonly Scenario[] = [
  single,
  batched,
  http1,
  http10,
  http100,
  connections,
  idle,
  partitions,
  workers,
  sizes,
  bodies,
  mixed,
  latency,
  overload,
  outage,
  compression,
  msgpack,
  requests,
  transports,
  streams,
  headers,
  others,
  tutorial,
  brokerKills,
  against,
];

/** Loads by body: short events, and nested ones of 0.5, 1 and 10 KB with schemas of their own. */
import { interleave, type Rounds } from '../lab/figures.ts';
import { type GatewaySpec, Lab, type Shape } from '../lab/lab.ts';
import type { Measurement } from '../lab/measure.ts';
import { type SchemaName, schemaFile } from '../load/json-schema.ts';
import type { Figure } from '../result.ts';
import type { Bench } from '../scenario.ts';

interface BodyLoad {
  readonly name: string;
  readonly shape: Shape;
}

/** Loads of one body; each target of them has the schema of this body, or the built-in one. */
export interface BodyGroup {
  readonly body: SchemaName;
  readonly loads: readonly BodyLoad[];
}

const TEN_PER_FRAME: Shape = { eventsPerFrame: 10, eventsPerSecond: 10_000 };

export const BODY_GROUPS: readonly BodyGroup[] = [
  {
    body: 'plain',
    loads: [
      { name: '140 B, one per frame', shape: { eventsPerSecond: 20_000 } },
      { name: '140 B, 50 per frame', shape: { eventsPerSecond: 100_000, eventsPerFrame: 50 } },
    ],
  },
  {
    body: 'page-view',
    loads: [{ name: '0.5 KB, ten per frame', shape: { ...TEN_PER_FRAME, eventBytes: 500 } }],
  },
  {
    body: 'order',
    loads: [{ name: '1 KB, ten per frame', shape: { ...TEN_PER_FRAME, eventBytes: 1_000 } }],
  },
  {
    body: 'log',
    loads: [
      { name: '10 KB, one per frame', shape: { eventsPerSecond: 2_000, eventBytes: 10_000 } },
    ],
  },
];

/** Setting of a custom schema; commits before it have none. */
export const SCHEMA_SETTING = 'FOREBAY_EVENT_SCHEMA';

/** Bodies and rates, for the setup of results. */
export const BODY_SETUP =
  '140 B: events with only the fields of the built-in schema, filled with one letter, 20,000/s and ' +
  '100,000/s. 0.5 KB: page views, 10,000/s; 1 KB: orders, 10,000/s; 10 KB: log entries, 2,000/s: ' +
  'nested, with varying order, white space, escapes, Unicode and size, all with the fields of the ' +
  'built-in schema too. 64 connections, 12 partitions, linger 10 ms.';

/** Results of a group by `target: load`. */
export interface GroupResult {
  readonly found: Rounds<string>;
  /** Decided shares and memory of its gateways. */
  readonly figures: readonly Figure[];
  readonly problems: readonly string[];
}

/** Share of the rate of the first load at which all gateways of a group warm up together. */
const WARM_UP_SHARE = 0.5;

/**
 * Measures the loads of a group on gateways of these names, in turn, and reads everything back.
 * @param specs by name; `custom` selects the schema of the group's body
 */
export function measureGroup(
  bench: Bench,
  { body, loads }: BodyGroup,
  specs: Readonly<Record<string, GatewaySpec & { readonly custom: boolean }>>,
): Promise<GroupResult> {
  return Lab.with(bench, async (lab) => {
    const runs = new Map<string, () => Promise<Measurement>>();
    for (const [name, { custom, ...spec }] of Object.entries(specs)) {
      const env: Record<string, string> = custom ? { [SCHEMA_SETTING]: schemaFile(body) } : {};
      const target = await lab.gateway({ ...spec, name, env, warmUp: warmUpOf({ body, loads }) });
      for (const load of loads) {
        const run = () => lab.measure(target, { ...load.shape, body });
        runs.set(keyOf(name, load.name), run);
      }
    }
    await lab.warmUp();
    // Warms up the code of each load; it does not count.
    for (const run of runs.values()) await run();
    const found = await interleave(bench.rounds, Object.fromEntries(runs));
    await lab.verify();
    const memory = lab.memory().map((figure) => ({ ...figure, name: `${figure.name}, ${body}` }));
    return { found, figures: [...lab.decided(), ...memory], problems: lab.problems };
  });
}

/** Returns the key of the measurements of a load on a target. */
export function keyOf(target: string, load: string): string {
  return `${target}: ${load}`;
}

function warmUpOf({ body, loads: [first] }: BodyGroup): Shape {
  if (body === 'plain') return {};
  const { eventsPerSecond = 0, ...shape } = first!.shape;
  return { ...shape, body, eventsPerSecond: eventsPerSecond * WARM_UP_SHARE };
}

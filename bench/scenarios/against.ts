/** The current checkout and another commit, under the same loads in one run. */
import { buildCommit, type Commit, knowsSetting } from '../lab/commit.ts';
import { cpuFigure, cpuRatio, type Goal } from '../lab/figures.ts';
import type { Figure } from '../result.ts';
import type { Scenario } from '../scenario.ts';
import { BODY_GROUPS, BODY_SETUP, keyOf, measureGroup, SCHEMA_SETTING } from './body-loads.ts';

/** Commit before events were decided from their bytes by a schema's table. */
const REFERENCE = '19df8789';
/** Goals against that commit, by load. */
const GOALS: Readonly<Record<string, Goal>> = {
  '1 KB, ten per frame': { most: 0.75 },
  '10 KB, one per frame': { most: 0.65 },
};

/** Returns the goal of a load against a commit, with either schema; undefined = none. */
export function goalAgainst({ hash }: Pick<Commit, 'hash'>, load: string): Goal | undefined {
  return hash.startsWith(REFERENCE) ? GOALS[load] : undefined;
}

export const against: Scenario = {
  name: 'against',
  summary: 'this checkout compared with COMMIT=…, with the built-in and with custom schemas',
  minutes: 7,
  standalone: true,
  comparesCommit: true,
  async run(bench) {
    const { commit } = bench;
    if (commit === undefined) throw new Error('no commit to compare with');
    const main = buildCommit(commit, bench.log);
    const isCustom = knowsSetting(commit, SCHEMA_SETTING);
    const schemas = isCustom ? ['built-in', 'custom'] : ['built-in'];
    const here = (schema: string) => `current, ${schema}`;
    const there = (schema: string) => `${commit.short}, ${schema}`;
    const figures: Figure[] = [];
    const problems: string[] = [];
    for (const group of BODY_GROUPS) {
      const specs = schemas.flatMap((schema) => {
        const custom = schema === 'custom';
        return [
          [here(schema), { custom }],
          [there(schema), { custom, main }],
        ] as const;
      });
      const result = await measureGroup(bench, group, Object.fromEntries(specs));
      for (const { name } of group.loads) {
        for (const schema of schemas) {
          const [now, then] = [here(schema), there(schema)].map((target) => keyOf(target, name));
          const [these, those] = [result.found[now!]!, result.found[then!]!];
          const ratio = `current / ${commit.short}, ${schema}: ${name}`;
          figures.push(
            cpuFigure(now!, these),
            cpuFigure(then!, those),
            cpuRatio(ratio, these, those, goalAgainst(commit, name)),
          );
        }
      }
      figures.push(...result.figures);
      problems.push(...result.problems);
    }
    const without = `${commit.short} has no ${SCHEMA_SETTING}: no figures of custom schemas. `;
    const setup =
      `The current checkout and ${commit.short} of ${commit.date}, each with one worker and its own ` +
      'default settings, the built-in schema or the schema of the events (bench/load/schemas). ' +
      `${isCustom ? '' : without}${BODY_SETUP} ${bench.places.text}.`;
    return { setup, figures, problems };
  },
};

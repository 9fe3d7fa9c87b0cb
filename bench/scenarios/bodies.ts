/** Events of 140 B to 10 KB with a schema of their own, compared with the built-in schema. */
import { cpuFigure, cpuRatio } from '../lab/figures.ts';
import type { Figure } from '../result.ts';
import type { Scenario } from '../scenario.ts';
import { BODY_GROUPS, BODY_SETUP, keyOf, measureGroup } from './body-loads.ts';

const BUILT_IN = 'built-in schema';
const CUSTOM = 'custom schema';
const GOAL = { most: 1.05 };

export const bodies: Scenario = {
  name: 'bodies',
  summary: 'events of 140 B, 0.5, 1 and 10 KB, with the built-in and with custom schemas',
  minutes: 4,
  async run(bench) {
    const figures: Figure[] = [];
    const problems: string[] = [];
    for (const group of BODY_GROUPS) {
      const specs = { [BUILT_IN]: { custom: false }, [CUSTOM]: { custom: true } };
      const result = await measureGroup(bench, group, specs);
      for (const { name } of group.loads) {
        const of = (target: string) => result.found[keyOf(target, name)]!;
        figures.push(
          cpuFigure(keyOf(BUILT_IN, name), of(BUILT_IN)),
          cpuFigure(keyOf(CUSTOM, name), of(CUSTOM)),
          cpuRatio(`custom / built-in: ${name}`, of(CUSTOM), of(BUILT_IN), GOAL),
        );
      }
      figures.push(...result.figures);
      problems.push(...result.problems);
    }
    const setup =
      'Two gateways with one worker each: one with the built-in schema, one with the schema of the ' +
      `events (bench/load/schemas). ${BODY_SETUP} ${bench.places.text}.`;
    return { setup, figures, problems };
  },
};

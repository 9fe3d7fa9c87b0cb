import { deleteTopic, noteOffsets, recreateTopic, untilMadeAgain } from '../../../testing/topic.ts';
import { untilStored } from '../../../testing/watch.ts';
import type { Scenario } from '../scenario.ts';
import { PARTITIONS } from '../stage.ts';

/** Partitions of the next topic; undefined = created by the gateway, with the initial count. */
const ROUNDS = [undefined, 2, 9, undefined, PARTITIONS] as const;

export function topicDeleted(rounds: readonly (number | undefined)[] = ROUNDS): Scenario {
  return {
    name: 'topic-deleted',
    summary: `the topic deleted under load and recreated ${rounds.length} times, by the gateway and \
by others, with fewer, more and as many partitions`,
    minutes: 2,
    async run(world) {
      const { cluster, topic } = world.stage;
      const { ledger } = world.traffic;
      const place = { brokers: cluster.brokers, topic };
      world.mayLosePlain();
      for (const partitions of rounds) {
        await untilStored(world.gateway, 2 * world.eventsPerSecond);
        await world.inject(async () => {
          const ends = await noteOffsets(place);
          if (partitions === undefined) {
            ledger.topicDeleting();
            await deleteTopic(place);
          } else await recreateTopic(place, partitions, () => ledger.topicDeleting());
          world.logStep('topic deleted');
          await untilMadeAgain(place, ends);
        });
        ledger.newIncarnation();
        world.logStep(`topic recreated with ${partitions ?? PARTITIONS} partitions`);
        await world.recovers('topic recreation');
      }
      await untilStored(world.gateway, 2 * world.eventsPerSecond);
    },
  };
}

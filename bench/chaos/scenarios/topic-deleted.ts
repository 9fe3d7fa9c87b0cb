import { deleteTopic, noteOffsets, untilMadeAgain } from '../../../testing/topic.ts';
import { untilStored } from '../../../testing/watch.ts';
import type { Scenario } from '../scenario.ts';

export function topicDeleted(times = 3): Scenario {
  return {
    name: 'topic-deleted',
    summary: `the topic deleted under load and made again by the gateway, ${times} times`,
    minutes: 1,
    async run(world) {
      const { cluster, topic } = world.stage;
      const { ledger } = world.traffic;
      const place = { brokers: cluster.brokers, topic };
      world.losesPlain();
      for (let time = 0; time < times; time++) {
        await untilStored(world.gateway, 2 * world.eventsPerSecond);
        await world.felt(async () => {
          const ends = await noteOffsets(place);
          ledger.topicDeleting();
          await deleteTopic(place);
          world.did('the topic is deleted');
          await untilMadeAgain(place, ends);
        });
        ledger.newIncarnation();
        world.did('a new topic is there');
        await world.recovers('the new topic');
      }
      await untilStored(world.gateway, 2 * world.eventsPerSecond);
    },
  };
}

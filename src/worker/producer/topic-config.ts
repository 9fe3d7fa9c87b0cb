import kafkajs, { type Admin } from 'kafkajs';

/**
 * Returns the configuration of a topic by name; undefined if not authorized to read it.
 * @throws errors of kafkajs
 */
export async function readTopicConfig(
  admin: Admin,
  topic: string,
): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
    });
    const entries = resources[0]?.configEntries ?? [];
    return new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
  } catch (error) {
    if (/AUTHORIZATION/.test(String((error as { type?: string }).type))) return undefined;
    throw error;
  }
}

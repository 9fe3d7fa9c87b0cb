/** Record headers as pairs of texts, which are easy to compare. */
import { readTopic, type TopicPart, type TopicRecord } from '../../testing/topic.ts';

export interface ReadRecord extends Omit<TopicRecord, 'headers'> {
  /** Names and values, in order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** Reads like `readTopic`. */
export async function readWithHeaders(part: TopicPart): Promise<ReadRecord[]> {
  const records = await readTopic(part);
  return records.map(({ headers = [], ...record }) => {
    return { ...record, headers: headers.map(({ name, value }) => [name, String(value)] as const) };
  });
}

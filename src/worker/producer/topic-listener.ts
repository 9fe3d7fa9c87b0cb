import type { Topic } from '../accumulator/topic.ts';

/** Facts about Kafka for the instance's readiness and the topic admin. */
export interface TopicListener {
  /** Each required topic has a connected leader and a partition with a producer id; called once. */
  reached(): void;
  topicMissing(topic: Topic): void;
  /** The topic was deleted and created again: its configuration may have changed. */
  topicRecreated(topic: Topic): void;
  /** Reason why Kafka was not reached yet, without addresses. */
  unreachable(why: string): void;
  /** Kafka rejects writes by ACL or policy until an operator acts; false = no longer. */
  refusedByPolicy(refused: boolean): void;
  /** Brokers reject the credentials, and none has ever accepted them. */
  authenticationFailed(message: string): void;
}

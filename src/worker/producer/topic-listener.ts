import type { Topic } from '../accumulator/topic.ts';

/** What the instance's readiness and the topics' steward need to know of Kafka. */
export interface TopicListener {
  /** Of each topic a leader is connected, and a partition of it has a producer id: once. */
  reached(): void;
  topicMissing(topic: Topic): void;
  /** It was deleted and created again: its configuration may be another one. */
  topicRecreated(topic: Topic): void;
  /** Reason why Kafka was not reached yet, without addresses. */
  unreachable(why: string): void;
  /** Kafka refuses writes by rights or policy until an operator acts; or no longer. */
  refusedByPolicy(refused: boolean): void;
  /** Brokers refuse our credentials, and nothing has ever worked. */
  loginRefused(message: string): void;
}

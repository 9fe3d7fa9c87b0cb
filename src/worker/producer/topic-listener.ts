/** What the instance's readiness needs to know of Kafka. */
export interface TopicListener {
  /** A leader of the topic is connected and a partition of it has a producer id: once. */
  reached(): void;
  topicMissing(): void;
  /** Reason why Kafka was not reached yet, without addresses. */
  unreachable(why: string): void;
  /** Kafka refuses writes by rights or policy until an operator acts; or no longer. */
  refusedByPolicy(refused: boolean): void;
  /** Brokers refuse our credentials, and nothing has ever worked. */
  loginRefused(message: string): void;
}

/** What the instance's readiness needs to know of Kafka. */
export interface TopicListener {
  /** The topic's partitions are known and one of its leaders is connected: once. */
  reached(): void;
  topicMissing(): void;
  /** For people, without addresses. */
  unreachable(why: string): void;
  /** Kafka refuses by rights or policy what is written; or no longer. People have to act. */
  refusedByPolicy(refused: boolean): void;
  /** Brokers refuse our credentials, and nothing has ever worked. */
  loginRefused(message: string): void;
}

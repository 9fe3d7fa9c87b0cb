import { unmaskBroker } from '../../kafka/broker-address.ts';
import { reasonFor } from './connection-errors.ts';

/** Failure of a request of kafkajs's admin client. */
export interface AdminFailure {
  /** Reason in words, without addresses. */
  readonly hint: string;
  /** Message of Kafka or of the system. */
  readonly error: string;
  /** Address of the unreachable broker, if that is the cause. */
  readonly address: string | undefined;
  /** A connection failed; no broker rejected the request. */
  readonly isConnection: boolean;
}

interface KafkaJSError extends Error {
  /** Kafka's name of the error in a response. */
  readonly type?: string;
  readonly broker?: string;
  /** Errors of an aggregate. */
  readonly errors?: readonly KafkaJSError[];
}

/** Extracts the cause from errors of kafkajs: aggregates and exhausted retries. */
export function adminFailure(error: unknown): AdminFailure {
  const { type, name, message, broker } = causeOf(error);
  if (type !== undefined) {
    const hint = `Kafka answers ${type}`;
    return { hint, error: message, address: undefined, isConnection: false };
  }
  const why = name === 'KafkaJSSASLAuthenticationError' ? 'configuration' : 'connection';
  const hint = reasonFor({ why, message });
  const address = broker && unmaskBroker(broker);
  return { hint, error: message, address, isConnection: true };
}

function causeOf(error: unknown): KafkaJSError {
  let found = (error instanceof Error ? error : new Error(String(error))) as KafkaJSError;
  for (;;) {
    const inner = found.errors?.[0] ?? found.cause;
    if (!(inner instanceof Error)) return found;
    found = inner as KafkaJSError;
  }
}

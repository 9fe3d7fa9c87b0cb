import type { Config } from '../../config/config.ts';
import { parseBrokerAddress } from '../../kafka/broker-address.ts';
import { kafkaOptions } from '../../kafka/client-options.ts';
import { configuredCodec } from '../../kafka/compression/codecs.ts';
import type { Logger } from '../../logging/logger.ts';
import type { KafkaConnection } from '../wire.ts';
import { Link } from './link.ts';
import type { TopicListener } from './topic-listener.ts';

/** Returns the connection to the brokers of the settings. */
export function kafkaConnection(
  config: Config,
  log: Logger,
  topicListener: TopicListener,
): KafkaConnection {
  const { clientId = '', ssl, sasl } = kafkaOptions(config);
  const link = { clientId, ssl: ssl as object | undefined, sasl, logger: log };
  return {
    bootstrap: config.kafkaBrokers.map((broker) => parseBrokerAddress(broker)!),
    createLink: (address) => new Link(address, link),
    codec: configuredCodec(config.compression),
    topicListener,
  };
}

/** Kafka quotas for overload tests: kafkajs cannot set them, so the request is encoded here. */
import { once } from 'node:events';
import { connect } from 'node:net';

/** AlterClientQuotas, version 0. */
const API_KEY = 49;
const REQUEST_MS_MAX = 10_000;

export interface ProduceQuota {
  /** Client id of the producer: `KAFKA_CLIENT_ID`. */
  readonly clientId: string;
  /** Quota per broker; undefined = none. */
  readonly bytesPerSecond: number | undefined;
}

/**
 * Sets a produce quota for the client in this broker's cluster: brokers respond at once with a
 * throttle time, and read nothing from the connection meanwhile.
 * @throws Error if the broker returns an error, or does not respond within 10 s
 */
export async function setProduceQuota(broker: string, quota: ProduceQuota): Promise<void> {
  const [host, port] = broker.split(':');
  const socket = connect(Number(port), host);
  socket.setTimeout(REQUEST_MS_MAX, () => socket.destroy(new Error(`${broker} does not answer`)));
  try {
    socket.write(requestOf(quota));
    let received = Buffer.alloc(0);
    while (received.length < 4 || received.length < 4 + received.readInt32BE(0)) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      received = Buffer.concat([received, chunk]);
    }
    // After length, correlation id, throttle time and the count of entries, which is 1.
    const code = received.readInt16BE(16);
    if (code !== 0) throw new Error(`AlterClientQuotas was answered with error ${code}`);
  } finally {
    socket.destroy();
  }
}

function requestOf({ clientId, bytesPerSecond = 0 }: ProduceQuota): Buffer {
  const remove = bytesPerSecond === 0;
  const header = [int16(API_KEY), int16(0), int32(1), string('forebay-test')];
  const entity = [int32(1), string('client-id'), string(clientId)];
  const operation = [string('producer_byte_rate'), float64(bytesPerSecond), bool(remove)];
  const validateOnly = bool(false);
  const entries = [int32(1), ...entity, int32(1), ...operation];
  const request = Buffer.concat([...header, ...entries, validateOnly]);
  return Buffer.concat([int32(request.length), request]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function float64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
}

function bool(value: boolean): Buffer {
  return Buffer.from([Number(value)]);
}

function string(text: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(text)), Buffer.from(text)]);
}

/** A real quota for the tests of overload: kafkajs cannot set one, so it is written here. */
import { once } from 'node:events';
import { connect } from 'node:net';

/** AlterClientQuotas, version 0. */
const API_KEY = 49;
const REQUEST_MS_MAX = 10_000;

export interface ProduceQuota {
  /** What a producer calls itself: `KAFKA_CLIENT_ID`. */
  readonly clientId: string;
  /** What each broker takes from it; undefined = no bound any more. */
  readonly bytesPerSecond: number | undefined;
}

/**
 * Has the cluster of this broker slow the client down: it answers at once, says for how long it
 * will not read on, and does not until then.
 * @throws Error when the broker refuses, or does not answer within 10 s
 */
export async function setProduceQuota(broker: string, quota: ProduceQuota): Promise<void> {
  const [host, port] = broker.split(':');
  const socket = connect(Number(port), host);
  socket.setTimeout(REQUEST_MS_MAX, () => socket.destroy(new Error(`${broker} does not answer`)));
  try {
    socket.write(requestOf(quota));
    let heard = Buffer.alloc(0);
    while (heard.length < 4 || heard.length < 4 + heard.readInt32BE(0)) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      heard = Buffer.concat([heard, chunk]);
    }
    // Behind length, correlation id, throttle time and the count of entries, which is 1.
    const code = heard.readInt16BE(16);
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

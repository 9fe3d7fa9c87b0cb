import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeMetadata } from '../../../src/worker/producer/kafkajs.ts';
import {
  decodeInitProducerId,
  decodeProduce,
  INIT_PRODUCER_ID,
  initProducerIdBody,
  METADATA,
  metadataBody,
  produceBody,
  requestHead,
} from '../../../src/worker/producer/protocol.ts';
import {
  Decoder,
  Encoder,
  encodeRequest,
  initProducerIdRequest,
  metadataRequest,
} from '../kafkajs-protocol.ts';

interface PartitionAnswer {
  readonly partition: number;
  readonly code: number;
}

/** Encodes a Produce response of version 7. */
function produceResponse(
  topics: readonly { readonly topic: string; readonly partitions: readonly PartitionAnswer[] }[],
  throttleMs: number,
): Buffer {
  const encoded = topics.map(({ topic, partitions }) =>
    new Encoder()
      .writeString(topic)
      .writeArray(
        partitions.map(({ partition, code }) =>
          new Encoder()
            .writeInt32(partition)
            .writeInt16(code)
            .writeInt64(1)
            .writeInt64(-1)
            .writeInt64(0),
        ),
      ),
  );
  return new Encoder().writeArray(encoded).writeInt32(throttleMs).buffer;
}

const anyParts = fc.array(
  fc.record({
    partition: fc.nat(1_000),
    bytes: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  }),
  { minLength: 1, maxLength: 10 },
);

test('the produce body contains acks=all, the timeout, and each batch unchanged', () => {
  fc.assert(
    fc.property(anyParts, fc.nat(60_000), (parts, timeoutMs) => {
      const topics = new Map([
        ['event_topic', parts],
        ['other', parts.slice(0, 1)],
      ]);
      const decoder = new Decoder(Buffer.concat(produceBody(topics, timeoutMs)));
      assert.equal(decoder.readString(), null, 'no transaction');
      assert.equal(decoder.readInt16(), -1, 'acks of all in-sync replicas');
      assert.equal(decoder.readInt32(), timeoutMs);
      assert.equal(decoder.readInt32(), topics.size);
      for (const [topic, ofTopic] of topics) {
        assert.equal(decoder.readString(), topic);
        assert.equal(decoder.readInt32(), ofTopic.length);
        for (const { partition, bytes } of ofTopic) {
          assert.equal(decoder.readInt32(), partition);
          assert.deepEqual(Buffer.from(decoder.readBytes() ?? ''), bytes);
        }
      }
      assert.equal(decoder.readAll().length, 0);
    }),
  );
});

test('the request header equals kafkajs’s, before a body in any pieces', async () => {
  const anyBody = fc.array(fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes)));
  const check = fc.asyncProperty(
    fc.nat(2 ** 31 - 1),
    fc.string({ unit: 'grapheme' }),
    anyBody,
    async (correlationId, clientId, body) => {
      const encode = async () => {
        const payload = new Encoder();
        for (const piece of body) payload.writeBufferInternal(piece);
        return payload;
      };
      const request = { ...METADATA, encode };
      const whole = await encodeRequest({ correlationId, clientId, request });
      const head = requestHead(METADATA, correlationId, clientId, body);
      assert.deepEqual(Buffer.concat([head, ...body]), whole.buffer);
    },
  );
  await fc.assert(check);
});

test('a produce response contains each code by topic and partition, and the throttle time', () => {
  const partitions = [
    { partition: 0, code: 0 },
    { partition: 7, code: -1 },
    { partition: 3, code: 45 },
  ];
  const raw = produceResponse(
    [
      { topic: 'other', partitions: [{ partition: 1, code: 6 }] },
      { topic: 'events', partitions },
      { topic: 'events2', partitions: [{ partition: 7, code: 6 }] },
    ],
    250,
  );
  const { errorCodes, throttleMs } = decodeProduce(raw);
  assert.equal(throttleMs, 250);
  assert.deepEqual([...errorCodes.keys()], ['other', 'events', 'events2']);
  assert.deepEqual(
    [...errorCodes.get('events')!],
    partitions.map(({ partition, code }) => [partition, code]),
  );
  assert.deepEqual(errorCodes.get('other')?.get(1), 6);
  assert.deepEqual(errorCodes.get('events2')?.get(7), 6);
});

test('a produce response truncated anywhere throws', () => {
  for (const topic of ['events', 'other']) {
    const raw = produceResponse([{ topic, partitions: [{ partition: 4, code: 0 }] }], 0);
    for (let length = 0; length < raw.length; length++) {
      assert.throws(() => decodeProduce(raw.subarray(0, length)), RangeError);
    }
  }
});

test('a produce response with wrong counts throws at once', () => {
  const raw = produceResponse([{ topic: 'other', partitions: [] }], 0);
  raw.writeInt32BE(2 ** 31 - 1, 4 + 2 + 'other'.length);
  const startedMs = performance.now();
  assert.throws(() => decodeProduce(raw), RangeError);
  assert(performance.now() - startedMs < 2_000, 'without reading that many items');
});

test('the metadata request equals kafkajs’s, and does not create the topic', async () => {
  const request = metadataRequest({
    topics: ['event_topic', 'other'],
    allowAutoTopicCreation: false,
  });
  const { apiKey, apiVersion } = request;
  assert.deepEqual(METADATA, { apiKey, apiVersion });
  assert.deepEqual(
    Buffer.concat(metadataBody(['event_topic', 'other'])),
    (await request.encode()).buffer,
  );
});

test('a metadata response with errors is decoded without throwing', async () => {
  const partition = new Encoder()
    .writeInt16(5)
    .writeInt32(2)
    .writeInt32(-1)
    .writeArray([])
    .writeArray([]);
  const topic = new Encoder()
    .writeInt16(3)
    .writeString('events')
    .writeBoolean(false)
    .writeArray([partition]);
  const broker = new Encoder().writeInt32(1).writeString('h').writeInt32(9092).writeString(null);
  const raw = new Encoder()
    .writeInt32(0)
    .writeArray([broker])
    .writeString('cluster')
    .writeInt32(1)
    .writeArray([topic]).buffer;
  const { brokers, topicMetadata } = await decodeMetadata(raw);
  assert.deepEqual(
    brokers.map(({ nodeId, host, port }) => [nodeId, host, port]),
    [[1, 'h', 9092]],
  );
  assert.equal(topicMetadata[0]?.topicErrorCode, 3);
  assert.equal(topicMetadata[0]?.partitionMetadata[0]?.leader, -1);
});

test('the request for a producer id equals kafkajs’s', async () => {
  const request = initProducerIdRequest({ transactionTimeout: -1 });
  const { apiKey, apiVersion } = request;
  assert.deepEqual(INIT_PRODUCER_ID, { apiKey, apiVersion });
  const body = initProducerIdBody();
  assert.deepEqual(Buffer.concat(body), (await request.encode()).buffer);
});

test('a producer id is decoded with all 64 bits; a truncated response throws', () => {
  const raw = new Encoder()
    .writeInt32(0)
    .writeInt16(14)
    .writeInt64('9007199254740995')
    .writeInt16(32_767).buffer;
  assert.deepEqual(decodeInitProducerId(raw), {
    errorCode: 14,
    producerId: 9_007_199_254_740_995n,
    epoch: 32_767,
  });
  for (let length = 0; length < raw.length; length++) {
    assert.throws(() => decodeInitProducerId(raw.subarray(0, length)), RangeError);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeMetadataWithIds,
  METADATA_WITH_IDS,
  metadataWithIdsBody,
} from '../../../src/worker/producer/metadata-with-ids.ts';
import { requestHead } from '../../../src/worker/producer/protocol.ts';
import { CompactWriter } from '../../fakes/broker/compact-writer.ts';
import { Reader } from '../../fakes/broker/wire.ts';

const ID = Buffer.from('00112233445566778899aabbccddeeff', 'hex');

function response(): Buffer {
  const writer = new CompactWriter().tags().int32(0);
  writer.array(['kafka-1', 'kafka-2'], (host) => {
    writer
      .int32(Number(host.at(-1)))
      .string(host)
      .int32(9092)
      .string(null)
      .tags();
  });
  writer.string('cluster').int32(1);
  writer.array(['events', 'missing'], (name) => {
    writer.int16(name === 'missing' ? 3 : 0).string(name);
    writer.raw(name === 'missing' ? Buffer.alloc(16) : ID).raw(Buffer.alloc(1));
    writer.array(name === 'missing' ? [] : [2, -1], (leader) => {
      writer
        .int16(leader < 0 ? 5 : 0)
        .int32(leader < 0 ? 1 : 0)
        .int32(leader)
        .int32(4);
      writer.array([1, 2, 3], (id) => writer.int32(id));
      writer.array([], () => {});
      writer.array([3], (id) => writer.int32(id));
      writer.tags();
    });
    writer.int32(0).tags();
  });
  return writer.int32(0).tags().buffer;
}

test('the request names all topics, and creates none', () => {
  const names = ['events', 'x'.repeat(249)];
  const body = metadataWithIdsBody(names);
  const head = requestHead(METADATA_WITH_IDS, 7, 'client', body);
  const reader = new Reader(Buffer.concat([head, ...body]));
  assert.equal(reader.int32(), reader.left, 'the length');
  assert.deepEqual([reader.int16(), reader.int16(), reader.int32()], [3, 10, 7]);
  assert.equal(reader.string(), 'client');
  reader.tags();
  const asked = reader.compactArray(() => {
    assert.deepEqual(reader.raw(16), Buffer.alloc(16), 'by name, not by id');
    const name = reader.compactString();
    reader.tags();
    return name;
  });
  assert.deepEqual(asked, names);
  assert.deepEqual([...reader.raw(3)], [0, 0, 0]);
  reader.tags();
  assert.equal(reader.left, 0);
});

test('a response is decoded with ids, if present, and with its errors', () => {
  assert.deepEqual(decodeMetadataWithIds(response()), {
    brokers: [
      { nodeId: 1, host: 'kafka-1', port: 9092 },
      { nodeId: 2, host: 'kafka-2', port: 9092 },
    ],
    topicMetadata: [
      {
        topicErrorCode: 0,
        topic: 'events',
        topicId: ID.toString('hex'),
        partitionMetadata: [
          { partitionErrorCode: 0, partitionId: 0, leader: 2 },
          { partitionErrorCode: 5, partitionId: 1, leader: -1 },
        ],
      },
      { topicErrorCode: 3, topic: 'missing', partitionMetadata: [] },
    ],
  });
});

test('tagged fields are skipped', () => {
  const raw = response();
  const tagged = Buffer.concat([Buffer.from([2, 0, 1, 0xff, 5, 0]), raw.subarray(1)]);
  assert.deepEqual(decodeMetadataWithIds(tagged), decodeMetadataWithIds(raw));
});

test('a response truncated anywhere throws, and so does one with wrong counts', () => {
  const raw = response();
  for (let length = 0; length < raw.length; length++) {
    assert.throws(() => decodeMetadataWithIds(raw.subarray(0, length)), RangeError);
  }
  const lie = Buffer.concat([raw.subarray(0, 5), Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f])]);
  const startedMs = performance.now();
  assert.throws(() => decodeMetadataWithIds(lie), RangeError);
  assert.throws(() => decodeMetadataWithIds(Buffer.alloc(20, 0xff)), /an invalid length/);
  assert(performance.now() - startedMs < 2_000, 'without reading that many items');
});

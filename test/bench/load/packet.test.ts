import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode as decodeMsgpack } from '@msgpack/msgpack';
import { type Packet, type PacketShape, Packets } from '../../../bench/load/packet.ts';

const TIME = Buffer.from('1790000000123');

function shape(fields: Partial<PacketShape> = {}): PacketShape {
  const sizes = { eventsPerFrame: 1, framesPerPacket: 1, eventBytes: 140 };
  return { run: 'r7', ...sizes, ...fields };
}

function packetOf(fields: Partial<PacketShape>, connection = 12): Packet {
  return new Packets(shape(fields)).at(connection, 0);
}

function bytesOf(fields: Partial<PacketShape>, first: number, connection = 12): Buffer {
  const packet = packetOf(fields, connection);
  const bytes = Buffer.alloc(packet.length + 3, 0xee);
  packet.write(bytes, 3, connection, first, TIME);
  assert.deepEqual([...bytes.subarray(0, 3)], [0xee, 0xee, 0xee], 'what stands before is left');
  return bytes.subarray(3);
}

interface PageView {
  readonly id: string;
  readonly clientId: string;
  readonly timestamp: number;
  readonly msg: string;
}

/** Parses masked text frames per RFC 6455. */
function payloadsOf(bytes: Buffer): string[] {
  return framesOf(bytes, 0x81).map(String);
}

/** Same for frames with this first byte. */
function framesOf(bytes: Buffer, firstByte: number): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    assert.equal(bytes[at], firstByte, 'a whole frame of its kind');
    assert.equal(bytes[at + 1]! & 0x80, 0x80, 'masked');
    const short = bytes[at + 1]! & 0x7f;
    const long = short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    const length = short < 126 ? short : long;
    const mask = bytes.subarray(at + head, at + head + 4);
    const payload = bytes.subarray(at + head + 4, at + head + 4 + length);
    found.push(Buffer.from(payload.map((byte, index) => byte ^ mask[index % 4]!)));
    at += head + 4 + length;
  }
  return found;
}

test('an event has the requested size, its number and its timestamp', () => {
  for (const eventBytes of [87, 124, 125, 126, 140, 65_535, 65_536]) {
    const [text = ''] = payloadsOf(bytesOf({ eventBytes }, 42));
    assert.equal(Buffer.byteLength(text), eventBytes);
    const { msg, ...fields } = JSON.parse(text) as Record<string, unknown>;
    const id = 'r7-00012-00000042';
    assert.deepEqual(fields, { id, clientId: 'client-00012', timestamp: 1_790_000_000_123 });
    assert.equal(typeof msg, 'string');
  }
  assert.throws(() => new Packets(shape({ eventBytes: 84 })), /fit into 84 bytes/);
});

test('numbering spans frames and packets, and no digits of the previous packet remain', () => {
  const packet = packetOf({ eventsPerFrame: 3, framesPerPacket: 2 });
  const bytes = Buffer.alloc(packet.length);
  const idsAt = (first: number) => {
    packet.write(bytes, 0, 12, first, TIME);
    const frames = payloadsOf(bytes).map((text) => JSON.parse(text) as { id: string }[]);
    return frames.map((events) => events.map(({ id }) => Number(id.split('-')[2])));
  };
  const expected = (first: number) => [0, 3].map((at) => [0, 1, 2].map((n) => first + at + n));
  for (const first of [0, 9_999_997, 5]) assert.deepEqual(idsAt(first), expected(first));
});

test('credit counts the payload bytes of all frames', () => {
  for (const body of ['plain', 'order'] as const) {
    const fields = { eventsPerFrame: 5, framesPerPacket: 2, eventBytes: 1_000, body };
    const texts = payloadsOf(bytesOf(fields, 0));
    const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    assert.equal(bytes, packetOf(fields).payloadBytes);
  }
});

test('bodies that vary have the connection, numbers and time of their packet, in any order', () => {
  const fields = {
    eventsPerFrame: 5,
    framesPerPacket: 2,
    eventBytes: 700,
    body: 'page-view',
  } as const;
  const packets = new Packets(shape(fields));
  const seen = new Set<string>();
  for (let nth = 0; nth < 20; nth++) {
    const packet = packets.at(4_321, nth);
    const bytes = Buffer.alloc(packet.length);
    packet.write(bytes, 0, 4_321, nth * 10, TIME);
    const events = payloadsOf(bytes).flatMap((text) => JSON.parse(text) as PageView[]);
    assert.equal(events.length, 10);
    for (const [index, { id, clientId, timestamp, msg }] of events.entries()) {
      const number = String(nth * 10 + index).padStart(8, '0');
      assert.deepEqual(
        [id, clientId, timestamp],
        [`r7-04321-${number}`, 'client-04321', 1_790_000_000_123],
      );
      seen.add(msg);
    }
  }
  assert(seen.size > 100, `${seen.size} different texts in 200 events`);
});

test('MessagePack sends the same events in binary frames', () => {
  const bodies = [
    { eventsPerFrame: 1, eventBytes: 140 },
    { eventsPerFrame: 3, eventBytes: 140 },
    { eventsPerFrame: 20, eventBytes: 140 },
    { eventsPerFrame: 4, eventBytes: 1_000, body: 'order' },
  ] as const;
  for (const body of bodies) {
    const sizes = { ...body, framesPerPacket: 2 };
    const texts = payloadsOf(bytesOf(sizes, 12_345));
    const frames = framesOf(bytesOf({ ...sizes, encoding: 'msgpack' }, 12_345), 0x82);
    assert.deepEqual(frames.map(decode), texts.map(parse));
    const packet = packetOf({ ...sizes, encoding: 'msgpack' });
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    assert.equal(bytes, packet.payloadBytes);
  }
});

function parse(text: string): unknown {
  return JSON.parse(text);
}

function decode(bytes: Buffer): unknown {
  return decodeMsgpack(bytes);
}

test('records have the key and the value of each event, for bridges', () => {
  const bodies = [
    { eventsPerFrame: 1, eventBytes: 140 },
    { eventsPerFrame: 3, eventBytes: 140 },
    { eventsPerFrame: 4, eventBytes: 1_000, body: 'order' },
  ] as const;
  for (const body of bodies) {
    const events = payloadsOf(bytesOf(body, 41)).flatMap(parse);
    const [text = '', ...others] = payloadsOf(bytesOf({ ...body, encoding: 'records' }, 41));
    const records = events.map((value) => ({ key: 'client-00012', value }));
    assert.deepEqual([parse(text), others], [{ records }, []]);
  }
});

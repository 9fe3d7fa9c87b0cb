/** Typed encoders and decoders of kafkajs, as a reference for the bytes of Forebay. */
import DecoderModule from 'kafkajs/src/protocol/decoder.js';
import EncoderModule from 'kafkajs/src/protocol/encoder.js';
import crc32cModule from 'kafkajs/src/protocol/recordBatch/crc32C/index.js';
import recordModule from 'kafkajs/src/protocol/recordBatch/record/v0/index.js';
import recordBatchDecoderModule from 'kafkajs/src/protocol/recordBatch/v0/decoder.js';
import recordBatchModule from 'kafkajs/src/protocol/recordBatch/v0/index.js';
import requestModule from 'kafkajs/src/protocol/request.js';
import initProducerIdModule from 'kafkajs/src/protocol/requests/initProducerId/v0/request.js';
import metadataModule from 'kafkajs/src/protocol/requests/metadata/v4/request.js';

export interface Encoder {
  readonly buf: Buffer;
  readonly buffer: Buffer;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeInt64(value: number | string): Encoder;
  writeString(value: string | null): Encoder;
  writeBoolean(value: boolean): Encoder;
  writeBytes(value: Buffer): Encoder;
  writeBufferInternal(value: Buffer): void;
  writeArray(values: readonly Encoder[]): Encoder;
}
export const Encoder = EncoderModule as new () => Encoder;

export interface Decoder {
  readInt16(): number;
  readInt32(): number;
  readString(): string | null;
  readBytes(): Buffer;
  readAll(): Buffer;
}
export const Decoder = DecoderModule as new (buffer: Buffer) => Decoder;

export const encodeRecord = recordModule as (record: {
  offsetDelta: number;
  timestampDelta: number;
  key: Buffer | null;
  value: Buffer;
}) => Encoder;

export const { RecordBatch: encodeRecordBatch } = recordBatchModule as {
  RecordBatch(batch: {
    firstTimestamp: number;
    maxTimestamp: number;
    partitionLeaderEpoch: number;
    lastOffsetDelta: number;
    producerId: string;
    producerEpoch: number;
    firstSequence: number;
    records: readonly Encoder[];
  }): Promise<Encoder>;
};

export const decodeRecordBatch = recordBatchDecoderModule as (decoder: Decoder) => Promise<{
  firstOffset: string;
  firstTimestamp: string;
  maxTimestamp: string;
  producerId: string;
  producerEpoch: number;
  firstSequence: number;
  lastOffsetDelta: number;
  records: {
    timestamp: string;
    offset: string;
    key: Buffer | null;
    value: Buffer;
    headers: object;
  }[];
}>;

export const crc32c = crc32cModule as (bytes: Buffer) => number;

interface RequestEncoder {
  readonly apiKey: number;
  readonly apiVersion: number;
  encode(): Promise<Encoder>;
}
export const metadataRequest = metadataModule as (options: {
  topics: readonly string[];
  allowAutoTopicCreation: boolean;
}) => RequestEncoder;
export const initProducerIdRequest = initProducerIdModule as (options: {
  transactionalId?: string;
  transactionTimeout: number;
}) => RequestEncoder;

export const encodeRequest = requestModule as (options: {
  correlationId: number;
  clientId: string;
  request: RequestEncoder;
}) => Promise<Encoder>;

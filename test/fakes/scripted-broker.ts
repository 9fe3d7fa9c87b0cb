import type net from 'node:net';
import { Decoder, Encoder } from '../worker/kafkajs-protocol.ts';
import { TcpServer } from './tcp-server.ts';

export const API = {
  produce: 0,
  metadata: 3,
  saslHandshake: 17,
  apiVersions: 18,
  initProducerId: 22,
  saslAuthenticate: 36,
} as const;

const VERSIONS: readonly [number, number, number][] = [
  [API.produce, 0, 7],
  [API.metadata, 0, 4],
  [API.saslHandshake, 0, 1],
  [API.apiVersions, 0, 2],
  [API.initProducerId, 0, 0],
  [API.saslAuthenticate, 0, 1],
];

export interface BrokerRequest {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly clientId: string | null;
  readonly body: Decoder;
  readonly socket: net.Socket;
  /** Sends `payload` as the response to this request. */
  respond(payload: Buffer): void;
}

export type Answer = (request: BrokerRequest) => void;

/**
 * A broker that answers ApiVersions and leaves every other request to `answer`: for tests of one
 * link that control each byte of the response. For more than that, see broker/.
 * @param without unsupported APIs
 */
export function startBroker(answer: Answer, without: readonly number[] = []): Promise<TcpServer> {
  return TcpServer.start((socket) => {
    let received = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
        const end = 4 + received.readInt32BE(0);
        handle(received.subarray(4, end), socket, answer, without);
        received = received.subarray(end);
      }
    });
  });
}

function handle(
  bytes: Buffer,
  socket: net.Socket,
  answer: Answer,
  without: readonly number[],
): void {
  const body = new Decoder(bytes);
  const apiKey = body.readInt16();
  const apiVersion = body.readInt16();
  const correlationId = body.readInt32();
  const clientId = body.readString();
  const respond = (payload: Buffer) => {
    const { buffer } = new Encoder().writeInt32(4 + payload.length).writeInt32(correlationId);
    socket.write(Buffer.concat([buffer, payload]));
  };
  if (apiKey === API.apiVersions) respond(apiVersions(without));
  else answer({ apiKey, apiVersion, clientId, body, socket, respond });
}

function apiVersions(without: readonly number[]): Buffer {
  const spoken = VERSIONS.filter(([key]) => !without.includes(key));
  const versions = spoken.map(([key, min, max]) =>
    new Encoder().writeInt16(key).writeInt16(min).writeInt16(max),
  );
  return new Encoder().writeInt16(0).writeArray(versions).writeInt32(0).buffer;
}

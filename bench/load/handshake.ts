/** Opens raw TCP sockets that speak WebSocket, without a WebSocket library behind them. */
import { connect, type Socket } from 'node:net';

const KEY = 'Zm9yZWJheSBsb2FkIGNsbA==';
const REQUEST = [
  'GET /ws HTTP/1.1',
  'Host: 127.0.0.1',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Key: ${KEY}`,
  'Sec-WebSocket-Protocol: forebay.v1',
  '\r\n',
].join('\r\n');
const END = '\r\n\r\n';
const RECEIVE_BYTES = 64 * 1024;
/** All sockets read into it: what came is taken before the next one reads. */
const RECEIVED = Buffer.allocUnsafeSlow(RECEIVE_BYTES);

/**
 * Connects and shakes hands.
 * @param take hears every byte behind the handshake; the buffer is used again afterwards
 * @throws Error when the server refuses, or chooses no subprotocol
 */
export function openSocket(port: number, take: (chunk: Buffer) => void): Promise<Socket> {
  return new Promise((resolve, reject) => {
    let head: string | undefined = '';
    const shake = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      const end = head!.indexOf(END);
      if (end < 0) return;
      const bytes = Buffer.from(head!.slice(end + END.length), 'latin1');
      const answer = head!.slice(0, end);
      head = undefined;
      socket.off('error', reject);
      if (!/^HTTP\/1.1 101 /.test(answer) || !/protocol: forebay\.v1/i.test(answer)) {
        socket.destroy();
        return reject(new Error(`the handshake was answered:\n${answer}`));
      }
      // Who waits for the socket is there before the first frame.
      resolve(socket);
      if (bytes.length > 0) setImmediate(() => take(bytes));
    };
    const callback = (length: number, buffer: Uint8Array): boolean => {
      const chunk = (buffer as Buffer).subarray(0, length);
      if (head === undefined) take(chunk);
      else shake(chunk);
      return true;
    };
    const onread = { buffer: RECEIVED, callback };
    const socket = connect({ host: '127.0.0.1', port, noDelay: true, onread });
    socket.once('error', reject);
    socket.once('connect', () => socket.write(REQUEST));
  });
}

/** Raw TCP sockets that speak WebSocket, without a WebSocket library. */
import { connect, type Socket } from 'node:net';

const KEY = 'Zm9yZWJheSBsb2FkIGNsbA==';
const HEAD = [
  'HTTP/1.1',
  'Host: 127.0.0.1',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Key: ${KEY}`,
  'Sec-WebSocket-Protocol: forebay.v1',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0',
  'Referer: https://shop.example/cart',
  'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  'tracestate: vendor=t61rcWkgMzE',
  '\r\n',
].join('\r\n');
const END = '\r\n\r\n';
const RECEIVE_BYTES = 64 * 1024;
/** Shared by all sockets: data is consumed before the next one reads. */
const RECEIVED = Buffer.allocUnsafeSlow(RECEIVE_BYTES);

/**
 * Connects and performs the handshake.
 * @param path of the WebSocket, such as `/ws`
 * @param take receives every byte after the handshake; the buffer is reused afterwards
 * @throws Error if the server rejects, or selects no subprotocol
 */
export function openSocket(
  port: number,
  path: string,
  take: (chunk: Buffer) => void,
): Promise<Socket> {
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
        return reject(new Error(`unexpected handshake response:\n${answer}`));
      }
      // The caller attaches its handlers before the first frame.
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
    socket.once('connect', () => socket.write(`GET ${path} ${HEAD}`));
  });
}

/**
 * POSTs events with autocannon; one answer per command. Events have ids like those of the load
 * client, so that the same account applies; a body that autocannon created but did not send leaves
 * numbers out.
 */
import autocannon from 'autocannon';
import type { Encoding, Spread } from './messages.ts';
import { Packets } from './packet.ts';

/** Path and form in which a server accepts events. */
export interface HttpForm {
  readonly path: string;
  readonly contentType: string;
  readonly encoding: Encoding;
  /** Text in a response with status 200 that reports an event that was not stored. */
  readonly failure?: string;
}

export interface HttpLoad {
  readonly port: number;
  readonly form: HttpForm;
  readonly run: string;
  readonly connections: number;
  readonly eventsPerRequest: number;
  readonly eventBytes: number;
  readonly requests: number;
}

export interface HttpReport {
  /** Requests answered with 200: all events are stored. */
  readonly ok: number;
  /** Requests with another status, with a reported failure, or without a response. */
  readonly failed: number;
  readonly seconds: number;
  readonly latency: Spread;
  /** Numbered events of each connection. */
  readonly numbered: readonly number[];
}

export type HttpAnswer = { readonly is: 'ready' } | ({ readonly is: 'report' } & HttpReport);

async function run(load: HttpLoad): Promise<HttpReport> {
  const { connections, eventsPerRequest, requests, form } = load;
  const { encoding, failure } = form;
  const shape = { ...load, encoding, eventsPerFrame: eventsPerRequest, framesPerPacket: 1 };
  const packets = new Packets(shape);
  const numbered = new Array<number>(connections).fill(0);
  let made = 0;
  const setupRequest = (request: autocannon.Request): autocannon.Request => {
    const connection = made++ % connections;
    const first = numbered[connection]!;
    const packet = packets.at(connection, first / eventsPerRequest);
    const bytes = Buffer.allocUnsafe(packet.length);
    packet.write(bytes, 0, connection, first, Buffer.from(String(Date.now())));
    numbered[connection]! += eventsPerRequest;
    return { ...request, body: bytes.subarray(packet.length - packet.payloadBytes) };
  };
  const result = await autocannon({
    url: `http://127.0.0.1:${load.port}${form.path}`,
    method: 'POST',
    headers: { 'content-type': form.contentType },
    connections,
    amount: requests,
    requests: [{ setupRequest }],
    ...(failure === undefined ? {} : { verifyBody: (body) => !String(body).includes(failure) }),
  });
  const { p50, p99, max } = result.latency;
  const ok = result['2xx'] - result.mismatches;
  return {
    ok,
    failed: requests - ok,
    seconds: result.duration,
    latency: { p50, p99, max },
    numbered,
  };
}

process.on('message', async (load: HttpLoad) => {
  const answer: HttpAnswer = { is: 'report', ...(await run(load)) };
  process.send!(answer);
});
process.on('disconnect', () => process.exit());
const ready: HttpAnswer = { is: 'ready' };
process.send!(ready);

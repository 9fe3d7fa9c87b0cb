/** The transport for platforms without uWebSockets.js: node:http and ws. */
import { constants } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { TlsOptions, Transport } from '../transport.ts';
import { NodeApp } from './app.ts';
import type { SharedPort } from './ports.ts';

/** Node.js takes the ciphers of TLS 1.2 and 1.3 from one list. */
const TLS13_CIPHERS = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256';

export function nodeTransport(): Transport {
  return {
    name: 'node',
    reportsPartial: true,
    createApp: (tls) => new NodeApp(tls && secureContextOf(tls)),
    closeListenSocket: (socket, closed) => (socket as SharedPort).stop(closed),
  };
}

function secureContextOf(tls: TlsOptions): SecureContext {
  return createSecureContext({
    cert: readFileSync(tls.cert_file_name),
    key: readFileSync(tls.key_file_name),
    minVersion: 'TLSv1.2',
    // A renegotiation costs the server more than the client.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    ciphers: `${TLS13_CIPHERS}:${tls.ssl_ciphers}`,
  });
}

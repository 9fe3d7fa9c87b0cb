import type { Api } from '../api.ts';
import { Writer } from '../wire.ts';

const SASL_AUTHENTICATION_FAILED = 58;

/** An injected code ends the connection after the response, as a failed login does. */
export const saslAuthenticate: Api = {
  name: 'SaslAuthenticate',
  key: 36,
  min: 0,
  max: 1,
  answer(call) {
    const [, username, password] = String(call.body.bytes()).split('\0');
    const { sasl } = call.cluster;
    const isRight = sasl !== undefined && username === sasl.username && password === sasl.password;
    const code = call.meet()?.code ?? (isRight ? 0 : SASL_AUTHENTICATION_FAILED);
    const lifetimeMs = sasl?.lifetimeMs ?? 0;
    if (code !== 0) call.hangUp();
    else {
      call.session.authenticatedUntilMs =
        lifetimeMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + lifetimeMs;
    }
    const writer = new Writer()
      .int16(code)
      .string(code === 0 ? null : 'Authentication failed')
      .bytes(Buffer.alloc(0));
    return call.version === 0 ? writer : writer.int64(lifetimeMs);
  },
};

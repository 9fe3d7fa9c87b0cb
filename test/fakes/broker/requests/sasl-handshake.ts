import type { Api } from '../api.ts';
import { Writer } from '../wire.ts';

const UNSUPPORTED_SASL_MECHANISM = 33;
const ILLEGAL_SASL_STATE = 34;

/** PLAIN only. An injected code ends the connection after the response, as a broker does. */
export const saslHandshake: Api = {
  name: 'SaslHandshake',
  key: 17,
  min: 1,
  max: 1,
  answer(call) {
    const mechanism = call.body.string();
    const known = mechanism === 'PLAIN' ? 0 : UNSUPPORTED_SASL_MECHANISM;
    const right = call.cluster.sasl === undefined ? ILLEGAL_SASL_STATE : known;
    const code = call.meet()?.code ?? right;
    if (code !== 0) call.hangUp();
    const writer = new Writer().int16(code);
    return writer.array(['PLAIN'], (name) => writer.string(name));
  },
};

import type { Api } from '../api.ts';
import { Writer } from '../wire.ts';

const UNSUPPORTED_VERSION = 35;

export const apiVersions: Api = {
  name: 'ApiVersions',
  key: 18,
  min: 0,
  max: 2,
  answer(call) {
    const { topicIds } = call.cluster;
    const apis = topicIds ? call.apis : call.apis.map(withoutIds);
    const writer = listed(apis, call.meet()?.code ?? 0);
    return call.version === 0 ? writer : writer.int32(call.throttleMs);
  },
};

/** The last version without topic ids is the last supported one. */
function withoutIds(api: Api): Api {
  return api.name === 'Metadata' ? { ...api, max: 4 } : api;
}

/** Response to an unknown version: the error in version 0, and the list. */
export function answerUnsupported(apis: readonly Api[]): Writer {
  return listed(apis, UNSUPPORTED_VERSION);
}

function listed(apis: readonly Api[], errorCode: number): Writer {
  const writer = new Writer().int16(errorCode);
  return writer.array(apis, ({ key, min, max }) => writer.int16(key).int16(min).int16(max));
}

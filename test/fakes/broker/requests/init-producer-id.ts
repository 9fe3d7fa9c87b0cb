import type { Api } from '../api.ts';
import { Writer } from '../wire.ts';

export const initProducerId: Api = {
  name: 'InitProducerId',
  key: 22,
  min: 0,
  max: 1,
  answer(call) {
    const transaction = call.body.string();
    call.body.int32(); // time for the transaction
    if (transaction !== null) throw new Error('a transaction');
    const code = call.meet()?.code ?? 0;
    const producerId = code === 0 ? call.cluster.nextProducerId() : -1n;
    return new Writer()
      .int32(call.throttleMs)
      .int16(code)
      .int64(producerId)
      .int16(code === 0 ? 0 : -1);
  },
};

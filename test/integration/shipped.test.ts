/** Smoke tests of dist/. */
import { startGateway } from '../../testing/gateway.ts';
import { smokeTests } from '../support/shipped.ts';

smokeTests(async (settings) => {
  const gateway = await startGateway(settings);
  return { port: gateway.port, stop: async () => (await gateway.stop()).code };
});

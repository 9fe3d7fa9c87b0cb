import type { Config } from '../../config/config.ts';
import { type Logger, SampledLog } from '../../logging/logger.ts';
import { Authenticator } from './authenticator.ts';
import type { JwtVerifier } from './jwt.ts';
import { KeyRing } from './key-ring.ts';
import { Origins } from './origins.ts';

/** Creates the authenticator from the settings. */
export async function createAuthenticator(config: Config, log: Logger): Promise<Authenticator> {
  const { keysFile, jwtJwksFile } = config;
  const jwt = await createJwtVerifier(config, log);
  return new Authenticator({
    origins: new Origins(config.origins),
    ...(keysFile !== undefined && { keys: new KeyRing() }),
    ...(jwt !== undefined && { jwt }),
    waitsForKeys: (keysFile ?? jwtJwksFile) !== undefined,
    log,
  });
}

/** jose is loaded only if needed, so that other workers start sooner. */
async function createJwtVerifier(config: Config, log: Logger): Promise<JwtVerifier | undefined> {
  const { jwtJwksFile: file, jwtJwksUrl: url, jwtAudience, jwtIssuer } = config;
  if ((file ?? url) === undefined) return undefined;
  const [{ JwtVerifier }, { RemoteKeys }] = await Promise.all([
    import('./jwt.ts'),
    import('./remote-keys.ts'),
  ]);
  const options = {
    audience: jwtAudience ?? '',
    issuer: jwtIssuer ?? '',
    algorithms: config.jwtAlgorithms,
    clockToleranceMs: config.jwtClockToleranceMs,
    streamsClaim: config.jwtStreamsClaim,
  };
  if (url === undefined) return new JwtVerifier(options);
  const sampled = new SampledLog();
  const failed = (reason: string) =>
    sampled.line('', (held) => log.warn({ reason, held }, 'failed to fetch JWKS'));
  return new JwtVerifier(options, new RemoteKeys({ url, failed }).find);
}

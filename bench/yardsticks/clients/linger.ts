import { SETTINGS } from '../../../src/config/settings.ts';

/** The gateway's default. */
export const LINGER_MS = SETTINGS.lingerMs.defaultValue();

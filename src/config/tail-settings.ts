import { choice, redaction } from './setting-kinds.ts';

/** Settings of the live tail. */
export const TAIL_SETTINGS = {
  tail: choice('FOREBAY_TAIL', {
    values: ['0', '1', 'open'],
    default: '0',
    meaning:
      'live tail of events on the admin port (1 = with the admin token, open = without it, on ' +
      'loopback only)',
    primaryOnly: true,
  }),
  tailRedact: redaction('FOREBAY_TAIL_REDACT', {
    meaning:
      'fields of events that the live tail replaces by their types, separated by commas, such ' +
      'as user.email or items.*.note; all = every value; none = no value',
  }),
} as const;

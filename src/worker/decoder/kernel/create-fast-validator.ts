import type { FastValidator } from './fast-validator.ts';
import { loadKernel } from './kernel.ts';
import { NO_PROFILE } from './layout.ts';
import type { Profile, RoutingPlan } from './plan.ts';
import { buildTable } from './table.ts';
import { TableValidator } from './table-validator.ts';
import { WasmValidator } from './wasm-validator.ts';

/** Returns a validator of events with this profile. */
export function createFastValidator(profile: Profile): FastValidator {
  return validatorOf(buildTable([profile]));
}

/**
 * Returns a function that creates validators of events with these profiles; see buildTable. They
 * share a table, since the kernel has room for few large ones, and differ only in the index of the
 * profile of events without the routing field; undefined = undecided.
 */
export function fastValidatorsOf(
  profiles: readonly (Profile | undefined)[],
  routing: Omit<RoutingPlan, 'absent'>,
): (absent: number | undefined) => FastValidator {
  const table = buildTable(profiles, { ...routing, absent: undefined });
  return (absent = NO_PROFILE) => validatorOf(table, absent);
}

/** Returns a {@link WasmValidator} if this process can run the kernel. */
function validatorOf(table: Buffer, absent?: number): FastValidator {
  const kernel = loadKernel();
  if (kernel instanceof Error) return new TableValidator(table, absent);
  return new WasmValidator(kernel, table, absent);
}

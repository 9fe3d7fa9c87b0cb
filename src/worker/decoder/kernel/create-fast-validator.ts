import type { FastValidator } from './fast-validator.ts';
import { loadKernel } from './kernel.ts';
import type { Profile, RoutingPlan } from './plan.ts';
import { buildTable } from './table.ts';
import { TableValidator } from './table-validator.ts';
import { WasmValidator } from './wasm-validator.ts';

/**
 * Returns a validator of events with these profiles; see buildTable. It is a {@link WasmValidator}
 * if this process can run the kernel.
 */
export function createFastValidator(
  profiles: readonly (Profile | undefined)[],
  routing?: RoutingPlan,
): FastValidator {
  const table = buildTable(profiles, routing);
  const kernel = loadKernel();
  return kernel instanceof Error ? new TableValidator(table) : new WasmValidator(kernel, table);
}

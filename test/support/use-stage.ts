import { after, before } from 'node:test';
import { Stage, type StageOptions } from '../../testing/stage.ts';

/** A stage for all tests of a file: open from `before` on, its gateway stopped at the end. */
export function useStage(options: StageOptions = {}): Stage {
  const stage = new Stage();
  before(() => stage.open(options));
  after(() => stage.gateway?.stop());
  return stage;
}

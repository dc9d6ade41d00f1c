// What programs import: load() and the types.
import { connect } from './engine.ts';
import type { Engine, LoadOptions } from './types.ts';

export { EngineError } from './engine.ts';
export type * from './types.ts';

/** Starts the engine in a worker and loads a model. Rejects with an EngineError. */
export function load(options: LoadOptions): Promise<Engine> {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'midinfinite' });
  return connect(worker, () => worker.terminate(), options);
}

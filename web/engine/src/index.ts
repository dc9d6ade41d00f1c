// What programs import: load() and the types.
export { EngineError, load } from './engine.ts';
export type * from './types.ts';

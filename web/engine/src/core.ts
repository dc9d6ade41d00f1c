// The WebAssembly side as bindings.cc shows it, and which build of it this browser can run.
import type { ProcessorStep, Settings, StreamState } from './types.ts';

/** Six numbers a note: onset, duration, instrument, pitch, velocity, event. */
export type FlatNotes = Float64Array;

export interface CoreModel {
  info(): { layers: number; width: number; parameters: number; threads: number; kernels: string };
  delete(): void;
}
export interface CoreStream {
  step(): boolean;
  advance(to: number): number;
  setPlaying(playing: boolean): void;
  setSpeed(speed: number): void;
  notesFrom(event: number): FlatNotes;
  change(settings: CoreSettings, amend: boolean): void;
  again(from: number): void;
  undo(): void;
  redo(): void;
  seek(to: number): void;
  startTakes(count: number, seconds: number): void;
  takeNotes(id: number): FlatNotes;
  acceptTake(id: number): void;
  dropTakes(): void;
  save(): Uint8Array;
  state(): Omit<StreamState, 'tokensPerSecond' | 'start'>;
  delete(): void;
}
export interface CoreProcessor {
  delete(): void;
}
export interface ProcessorFunctions {
  url: string;
  narrow: ((step: ProcessorStep, ids: Int32Array, forbid: Uint8Array) => void) | null;
  edit: ((step: ProcessorStep, ids: Int32Array, logits: Float32Array) => void) | null;
}
export interface CoreSettings extends Settings {
  /** What `processor` names. */
  loaded: CoreProcessor | null;
}
export interface CoreStreamOptions {
  settings: CoreSettings;
  prompt: FlatNotes;
  lookAhead: number;
  velocity: number;
  session: Uint8Array | null;
}
export interface Core {
  Model: new (address: number, size: number, threads: number) => CoreModel;
  /** Its functions must not throw. */
  Processor: new (functions: ProcessorFunctions) => CoreProcessor;
  Stream: new (model: CoreModel, options: CoreStreamOptions) => CoreStream;
  midiRead(file: Uint8Array): FlatNotes;
  midiWrite(notes: FlatNotes): Uint8Array;
  midiContinue(prompt: Uint8Array, notes: FlatNotes): Uint8Array;
  _malloc(size: number): number;
  _free(address: number): void;
  readonly HEAPU8: Uint8Array;
  /** In builds with threads. */
  readonly PThread?: { terminateAllThreads(): void };
}

export type Build = 'relaxed-threads' | 'simd-threads' | 'relaxed' | 'simd';

// Modules with one function each: f32x4.mul (SIMD128), and f32x4.relaxed_madd.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
const RELAXED = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253,
  128, 2, 11,
];

/** The builds that this browser runs, with threads last; none without WebAssembly or its SIMD. */
export function buildsHere(): Build[] {
  if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(new Uint8Array(SIMD))) return [];
  const simd = WebAssembly.validate(new Uint8Array(RELAXED)) ? 'relaxed' : 'simd';
  return [simd, `${simd}-threads`];
}

export function bestBuild(): Build | undefined {
  const [alone, threads] = buildsHere();
  return sharesMemory() ? threads : alone;
}

function sharesMemory(): boolean {
  // A page's own thread must not wait for others.
  if (typeof SharedArrayBuffer === 'undefined' || !globalThis.crossOriginIsolated || 'document' in globalThis) return false;
  try {
    return new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer instanceof SharedArrayBuffer;
  } catch {
    return false;
  }
}

// What the page and the worker say to each other. Every request gets one answer; updates come by themselves.
import type { EngineErrorData, LoadProgress, ModelSource, Settings, StreamState } from './types.ts';

export type Request =
  | { do: 'load'; model: ModelSource; threads: number | undefined }
  | { do: 'create'; options: SentStreamOptions }
  | { do: 'change'; stream: number; settings: Partial<Settings>; amend: boolean }
  | { do: 'again'; stream: number; from: number }
  | { do: 'tell' | 'undo' | 'redo' | 'dropTakes' | 'save' | 'dispose'; stream: number }
  | { do: 'seek'; stream: number; to: number }
  | { do: 'startTakes'; stream: number; count: number; seconds: number }
  | { do: 'takeNotes' | 'acceptTake'; stream: number; id: number }
  | { do: 'readMidi'; bytes: Uint8Array }
  | { do: 'writeMidi'; notes: Float64Array; prompt: Uint8Array | null };

export interface SentStreamOptions {
  settings: Settings;
  prompt: Float64Array;
  lookAhead: number;
  velocity: number;
  session: Uint8Array | null;
}

export type ToWorker =
  | { id: number; request: Request }
  | { advance: number; stream: number }
  | { stand: number; stream: number }
  | { speed: number; stream: number }
  | { cancelLoad: true };
export type FromWorker =
  | { id: number; result: unknown }
  | { id: number; error: EngineErrorData }
  | { progress: LoadProgress }
  /** A stream generates no more. */
  | { failed: number; error: EngineErrorData }
  | ({ stream: number } & Told);

/** Notes of events >= from are replaced by these. */
export interface Told {
  from: number;
  notes: Float64Array;
  state: StreamState;
}

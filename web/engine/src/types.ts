// The engine as a program sees it: the same interface whether it runs in a worker or in the page.
// Times are seconds of music since the stream began; instruments are General MIDI programs 0..127, 128 is the drum kit.
// Read next: engine.ts (who asks), host.ts (who answers).

/** A note, as generated. `event` is its place in the stream: it grows, and never changes while the note stands. */
export interface Note {
  onset: number;
  duration: number;
  instrument: number;
  /** MIDI key 0..127; for drums the percussion key. */
  pitch: number;
  /** 1..127 */
  velocity: number;
  event: number;
}

/** What a musician may choose about the music. Everything may be left out: the defaults are in brackets. */
export interface Settings {
  /** The same seed and settings make the same music (0). An integer up to 2^53. */
  seed: number;
  /** Instruments that may play (none: all). */
  ensemble: number[];
  /** 0..10: below 1 tamer, above wilder, 0 the likeliest (1). */
  temperature: number;
  /** 0..1: draw from the likeliest ids that together have this probability (0.98). */
  topP: number;
  /** 0..1: drop ids less likely than this share of the likeliest (0: none). */
  minP: number;
  /** Draw from so many likeliest ids (0: all). */
  topK: number;
  /** 0..3: how strongly silent instruments are called (0). */
  density: number;
  /** What density counts since an instrument last played ("events"). */
  densityUnit: 'events' | 'seconds';
  /** -2..2: taken from a note's logit for each time it stands in the window (0). */
  frequencyPenalty: number;
  /** At most so many instruments within the window (0: any number). */
  instrumentCap: number;
  /** At most so many notes at once (0: any number). */
  polyphony: number;
  /** At most so many notes begin within a second (0: any number). */
  pace: number;
  /** Bit n: pitch class n may sound, C is 0; drums aside (0xFFF: all). */
  scale: number;
  /** Leave music that has died (true). */
  recover: boolean;
  pitchRanges: { instrument: number; lowest: number; highest: number }[];
  /** URL of a module whose default export is a Processor; it runs where the engine computes (none). */
  processor: string | null;
}

/** A rule or a taste of one's own; must be pure. Both functions get the step and the ids, and edit the array. */
export interface Processor {
  /** forbid[i] = 1 where ids[i] may not be drawn. */
  narrow?(step: ProcessorStep, ids: Int32Array, forbid: Uint8Array): void;
  /** Changes logits[i] of ids[i]; -Infinity forbids. */
  edit?(step: ProcessorStep, ids: Int32Array, logits: Float32Array): void;
}
export interface ProcessorStep {
  slot: 'onset' | 'duration' | 'note';
  /** Seconds: no event may begin before. */
  now: number;
  /** The latest events, three numbers each: onset in ticks of 10 ms, 10000 + duration, 11000 + 128 · instrument + pitch. */
  history: Int32Array;
  /** The ids drawn of this event so far, as in history. */
  drawn: Int32Array;
}

/** Where a stream is, and how it does. */
export interface StreamState {
  playhead: number;
  /** Every note that begins before is known. */
  generatedTo: number;
  secondsAhead: number;
  underruns: number;
  recoveries: number;
  givenUp: number;
  undoSteps: number;
  redoSteps: number;
  takes: Take[];
  settings: Settings;
  /** Ids drawn a second of computing, over the last seconds. */
  tokensPerSecond: number;
  /** The first onset that was generated: what lies before is the prompt. */
  start: number;
}
export interface Take {
  id: number;
  seed: number;
  from: number;
  generatedTo: number;
  complete: boolean;
}

/** What became of the music: notes whose event is `from` or higher are gone, and `notes` are there. */
export interface Update {
  from: number;
  notes: Note[];
  state: StreamState;
}

export interface StreamOptions {
  settings?: Partial<Settings>;
  /** Notes to go on from, in any order. */
  prompt?: Omit<Note, 'event'>[];
  /** 0.1..60: how far the music is generated beyond the playhead, in seconds as it plays (4). */
  lookAhead?: number;
  /** 1..127: every note so hard; 0: a player's accents (0). */
  velocity?: number;
  /** Bytes that save() gave; everything else is left out then. */
  session?: Uint8Array;
}

/** Endless music. Disposed of with dispose(): what it holds in the engine is freed. */
export interface Stream {
  /**
   * Called with everything that is there soon, then whenever notes come or go. Notes are in order of onset. What a
   * change does is told before its promise resolves; after undo, redo, again, seek and acceptTake the playhead in it is
   * where to go on.
   */
  onUpdate(listener: (update: Update) => void): () => void;
  /** Called when nothing more is generated: the model's file is damaged. */
  onError(listener: (error: EngineErrorData) => void): () => void;
  /** The player has reached this moment: notes before it will not change. Generating goes on as far as look-ahead allows. */
  advance(playhead: number): void;
  /** The player stands at this moment, and nothing from there on has been heard: until it advances, changes act right there. */
  stand(playhead: number): void;
  /** How fast the player plays, 0.25..4 (1): look-ahead and the moment before a change acts are seconds as it plays. */
  setSpeed(speed: number): void;
  /** Notes in order, as fast as they are asked for: `for await (const note of stream.notes())`. Advances by itself. */
  notes(): AsyncIterable<Note>;
  /** Acts from a moment (0.25 s) after the playhead on, or from where the player stands. With `amend` it is part of the change before: one undo takes both back. */
  change(settings: Partial<Settings>, amend?: boolean): Promise<void>;
  /** Other music from the playhead on, or from an earlier moment. */
  again(from?: number): Promise<void>;
  undo(): Promise<void>;
  redo(): Promise<void>;
  seek(to: number): Promise<void>;
  /** Generates `count` ways to go on from now, of that many seconds each. */
  startTakes(count: number, seconds: number): Promise<void>;
  takeNotes(id: number): Promise<Note[]>;
  acceptTake(id: number): Promise<void>;
  dropTakes(): Promise<void>;
  /** Notes, settings, takes and playhead as bytes. */
  save(): Promise<Uint8Array>;
  dispose(): Promise<void>;
}

export interface ModelInfo {
  layers: number;
  width: number;
  parameters: number;
  /** Of the file. */
  bytes: number;
  threads: number;
  /** The instruction set in use. */
  kernels: string;
  /** Which build runs: "relaxed-threads", "simd-threads", "relaxed", "simd". */
  build: string;
  /** The file lies in this browser's storage: the next load downloads nothing. */
  kept: boolean;
}

/** Everything that goes wrong. */
export interface EngineErrorData {
  code: 'invalid argument' | 'not found' | 'i/o' | 'corrupt' | 'unsupported' | 'out of memory' | 'cancelled' | 'internal';
  message: string;
}

export type ModelSource =
  /** Downloaded once, checked, kept for the next visit and for offline use; an interrupted download goes on. */
  | { url: string; sha256: string; bytes: number }
  | ArrayBuffer
  | Blob;

export interface LoadProgress {
  /** wait: another page of this origin is fetching the model. */
  phase: 'program' | 'wait' | 'download' | 'stored' | 'check' | 'load';
  /** Bytes. */
  done: number;
  total: number;
}

export interface LoadOptions {
  model: ModelSource;
  onProgress?(progress: LoadProgress): void;
  signal?: AbortSignal;
  /** Threads that compute together; left out: one less than there are processors, at most 4. Without SharedArrayBuffer: 1. */
  threads?: number;
}

export interface Engine {
  readonly model: ModelInfo;
  createStream(options?: StreamOptions): Promise<Stream>;
  /** The notes of a Standard MIDI File, in order of onset. */
  readMidi(bytes: Uint8Array): Promise<Note[]>;
  /** A Standard MIDI File of the notes; with `prompt`, that file with all its own events and the notes in new tracks. */
  writeMidi(notes: Omit<Note, 'event'>[], prompt?: Uint8Array): Promise<Uint8Array>;
  dispose(): Promise<void>;
}

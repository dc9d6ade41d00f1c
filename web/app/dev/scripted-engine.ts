// A stand-in for the engine, for work on the page alone: chords over a bass line. Only `vite --mode fake` uses it.
import type { Engine, LoadOptions, Note, Settings, Stream, StreamOptions, StreamState, Take, Update } from '../../engine/src/types.ts';

export type * from '../../engine/src/types.ts';

const DEFAULTS: Settings = {
  seed: 0, ensemble: [], temperature: 1, topP: 0.98, minP: 0, topK: 0, density: 0, densityUnit: 'events', frequencyPenalty: 0,
  instrumentCap: 0, polyphony: 0, scale: 0xfff, recover: true, pitchRanges: [], processor: null,
};
const wait = (ms: number) => new Promise((done) => setTimeout(done, ms));

function compose(settings: Settings, beat: number): Omit<Note, 'event'>[] {
  let state = (settings.seed * 7919 + beat * 104729 + 1) >>> 0;
  const random = () => (state = (state * 1664525 + 1013904223) >>> 0) / 2 ** 32;
  const who = settings.ensemble.length > 0 ? settings.ensemble : [0, 33, 48, 73, 128];
  const chord = [[0, 4, 7], [9, 12, 16], [5, 9, 12], [7, 11, 14]][Math.floor(beat / 8) % 4]!;
  const onset = beat * 0.25;
  const notes: Omit<Note, 'event'>[] = [];
  who.forEach((instrument, place) => {
    const velocity = 60 + Math.floor(random() * 40);
    if (instrument === 128) {
      notes.push({ onset, duration: 0.1, instrument, pitch: 42, velocity });
      if (beat % 4 === 0) notes.push({ onset, duration: 0.1, instrument, pitch: beat % 8 === 0 ? 36 : 38, velocity });
    } else if (instrument >= 32 && instrument < 40) {
      if (beat % 2 === 0) notes.push({ onset, duration: 0.4, instrument, pitch: 36 + (chord[0]! % 12), velocity });
    } else if (beat % 8 === place % 3 && place % 2 === 0) {
      for (const step of chord) notes.push({ onset, duration: 1.5 + random(), instrument, pitch: 55 + place * 4 + step, velocity });
    } else if (random() < 0.45) {
      notes.push({ onset, duration: 0.2 + random() * 0.6, instrument, pitch: 60 + chord[Math.floor(random() * 3)]! + place * 3, velocity });
    }
  });
  return notes.filter((note) => note.instrument === 128 || (settings.scale >> note.pitch % 12) & 1);
}

interface Step {
  notes: Note[];
  settings: Settings;
  beat: number;
}

class ScriptedStream implements Stream {
  #notes: Note[] = [];
  #settings: Settings;
  #playhead = 0;
  #beat = 0;
  #start = 0;
  #undo: Step[] = [];
  #redo: Step[] = [];
  #takes: Take[] = [];
  #listeners = new Set<(update: Update) => void>();
  #timer = setInterval(() => this.#generate(), 40);
  readonly #lookAhead: number;

  constructor(options: StreamOptions) {
    this.#settings = { ...DEFAULTS, ...options.settings };
    this.#lookAhead = options.lookAhead ?? 4;
    if (options.session !== undefined) {
      const saved = JSON.parse(new TextDecoder().decode(options.session)) as { notes: Note[]; settings: Settings; playhead: number };
      this.#notes = saved.notes;
      this.#settings = saved.settings;
      this.#playhead = saved.playhead;
    } else {
      this.#notes = (options.prompt ?? []).map((note, event) => ({ ...note, event }));
      this.#start = this.#notes.at(-1)?.onset ?? 0;
    }
    this.#beat = Math.ceil((this.#notes.at(-1)?.onset ?? -0.25) / 0.25) + 1;
  }
  get #state(): StreamState {
    const generatedTo = this.#beat * 0.25;
    return {
      playhead: this.#playhead, generatedTo, secondsAhead: generatedTo - this.#playhead, underruns: 0, recoveries: 0, givenUp: 0,
      undoSteps: this.#undo.length, redoSteps: this.#redo.length, takes: this.#takes.map((take) => ({ ...take })), settings: this.#settings,
      tokensPerSecond: 168 + 5 * Math.sin(this.#beat), start: this.#start,
    };
  }
  #tell(from: number): void {
    const update = { from, notes: this.#notes.filter((note) => note.event >= from), state: this.#state };
    for (const listener of this.#listeners) listener(update);
  }
  #generate(): void {
    for (const take of this.#takes) {
      take.generatedTo = Math.min(take.generatedTo + 0.2, take.from + 8);
      take.complete = take.generatedTo >= take.from + 8;
    }
    if (this.#beat * 0.25 > this.#playhead + this.#lookAhead) return;
    const from = this.#notes.length;
    for (const note of compose(this.#settings, this.#beat)) this.#notes.push({ ...note, event: this.#notes.length });
    ++this.#beat;
    this.#tell(from);
  }
  #edit(settings: Partial<Settings>, amend = false, at = this.#playhead + 0.25): void {
    if (!amend) this.#undo.push({ notes: this.#notes, settings: this.#settings, beat: this.#beat });
    this.#redo = [];
    this.#settings = { ...this.#settings, ...settings };
    this.#beat = Math.ceil(at / 0.25);
    this.#notes = this.#notes.filter((note) => note.onset < this.#beat * 0.25);
    this.#tell(this.#notes.length);
  }
  #swap(from: Step[], to: Step[]): void {
    const step = from.pop();
    if (step === undefined) return;
    to.push({ notes: this.#notes, settings: this.#settings, beat: this.#beat });
    this.#notes = step.notes;
    this.#settings = step.settings;
    this.#beat = step.beat;
    this.#playhead = Math.min(this.#playhead, this.#beat * 0.25 - 1);
    this.#tell(0);
  }
  onUpdate(listener: (update: Update) => void): () => void {
    this.#listeners.add(listener);
    listener({ from: 0, notes: this.#notes, state: this.#state });
    return () => this.#listeners.delete(listener);
  }
  advance(playhead: number): void {
    this.#playhead = playhead;
  }
  async *notes(): AsyncIterable<Note> {
    yield* this.#notes;
  }
  async change(settings: Partial<Settings>, amend?: boolean): Promise<void> {
    if (settings.temperature !== undefined && settings.temperature > 10) throw new Error('temperature: 0..10');
    this.#edit(settings, amend);
  }
  async again(from?: number): Promise<void> {
    if (from !== undefined) this.#playhead = from;
    this.#edit({ seed: this.#settings.seed + 1 });
  }
  async undo(): Promise<void> {
    this.#swap(this.#undo, this.#redo);
  }
  async redo(): Promise<void> {
    this.#swap(this.#redo, this.#undo);
  }
  async seek(to: number): Promise<void> {
    this.#playhead = to;
    this.#tell(this.#notes.length);
  }
  async startTakes(count: number): Promise<void> {
    const from = this.#playhead + 0.25;
    this.#takes = Array.from({ length: count }, (_, id) => ({ id, seed: this.#settings.seed + id + 1, from, generatedTo: from, complete: false }));
    this.#tell(this.#notes.length);
  }
  async takeNotes(): Promise<Note[]> {
    return [];
  }
  async acceptTake(id: number): Promise<void> {
    const take = this.#takes.find((one) => one.id === id)!;
    this.#takes = [];
    if (this.#playhead > take.generatedTo) this.#playhead = take.from;
    this.#edit({ seed: take.seed }, false, take.from);
  }
  async dropTakes(): Promise<void> {
    this.#takes = [];
    this.#tell(this.#notes.length);
  }
  async save(): Promise<Uint8Array> {
    return new TextEncoder().encode(JSON.stringify({ notes: this.#notes, settings: this.#settings, playhead: this.#playhead }));
  }
  async dispose(): Promise<void> {
    clearInterval(this.#timer);
  }
}

/** `?fail` in the address fails a load; `?slow` makes it take seconds. */
export async function load(options: LoadOptions): Promise<Engine> {
  const steps = location.search.includes('slow') ? 200 : 10;
  for (let i = 0; i <= steps; ++i) {
    await wait(40);
    if (options.signal?.aborted) throw Object.assign(new Error('cancelled'), { code: 'cancelled' });
    options.onProgress?.({ phase: i === steps ? 'load' : location.search.includes('slow') ? 'download' : 'stored', done: (58994976 * i) / steps, total: 58994976 });
    if (location.search.includes('fail') && i > steps / 2) {
      throw Object.assign(new Error('the model could not be fetched'), { code: 'i/o' });
    }
  }
  return {
    model: { layers: 8, width: 512, parameters: 53.9e6, bytes: 58994976, threads: 2, kernels: 'scripted', build: 'scripted' },
    createStream: async (streamOptions = {}) => new ScriptedStream(streamOptions),
    readMidi: async (bytes) => {
      if (bytes[0] !== 0x4d) throw Object.assign(new Error('no MIDI file: it does not begin with MThd'), { code: 'corrupt' });
      return Array.from({ length: 32 }, (_, event) => ({ onset: event * 0.25, duration: 0.24, instrument: 0, pitch: 60 + (event % 12), velocity: 80, event }));
    },
    writeMidi: async () => new Uint8Array([0x4d, 0x54, 0x68, 0x64]),
    dispose: async () => {},
  };
}

// The engine for a page: load() starts a worker, and everything here asks it.
import type { FromWorker, Request, Told, ToWorker } from './messages.ts';
import { fromFlat, toFlat } from './notes.ts';
import { DEFAULT_SETTINGS } from './settings.ts';
import type {
  Engine, EngineErrorData, LoadOptions, ModelInfo, Note, Settings, Stream, StreamOptions, Update,
} from './types.ts';

export class EngineError extends Error implements EngineErrorData {
  override readonly name = 'EngineError';
  constructor(
    readonly code: EngineErrorData['code'],
    message: string,
  ) {
    super(message);
  }
}

type Listener = (message: Extract<FromWorker, { stream: number } | { failed: number }>) => void;

// Requests and their answers.
class Connection {
  readonly worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'midinfinite' });
  readonly listeners = new Map<number, Listener>();
  onProgress: LoadOptions['onProgress'];
  private nextId = 1;
  private readonly waiting = new Map<number, { done: (result: never) => void; failed: (error: Error) => void }>();

  constructor() {
    this.worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if ('progress' in data) return this.onProgress?.(data.progress);
      if ('stream' in data) return this.listeners.get(data.stream)?.(data);
      if ('failed' in data) return this.listeners.get(data.failed)?.(data);
      const asked = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if ('error' in data) asked?.failed(new EngineError(data.error.code, data.error.message));
      else asked?.done(data.result as never);
    };
    this.worker.onerror = (event) => {
      const error = { code: 'internal', message: event.message || 'the engine could not be started: reload the page' } as const;
      this.fail(new EngineError(error.code, error.message));
      for (const [failed, listener] of this.listeners) listener({ failed, error });
    };
  }
  send(message: ToWorker): void {
    this.worker.postMessage(message);
  }
  ask<Result>(request: Request): Promise<Result> {
    const id = this.nextId++;
    return new Promise<Result>((done, failed) => {
      this.waiting.set(id, { done, failed });
      this.send({ id, request });
    });
  }
  fail(error: Error): void {
    for (const { failed } of this.waiting.values()) failed(error);
    this.waiting.clear();
  }
}

// Keeps no notes: whoever listens late is told by the engine what there is.
class WorkerStream implements Stream {
  private readonly heard = new Set<(update: Update) => void>();
  private readonly broken = new Set<(error: EngineErrorData) => void>();
  private settings: Settings;
  private readonly gone = new AbortController();

  constructor(
    private readonly connection: Connection,
    private readonly id: number,
    settings: Settings,
  ) {
    this.settings = settings;
    connection.listeners.set(id, (message) => {
      if ('failed' in message) for (const listener of this.broken) listener(new EngineError(message.error.code, message.error.message));
      else {
        const update = this.updateOf(message);
        for (const listener of this.heard) listener(update);
      }
    });
  }
  onError(listener: (error: EngineErrorData) => void): () => void {
    this.broken.add(listener);
    return () => this.broken.delete(listener);
  }
  private updateOf({ from, notes, state }: Told): Update {
    this.settings = { ...state.settings, processor: this.settings.processor };
    return { from, notes: fromFlat(notes), state: { ...state, settings: this.settings } };
  }
  onUpdate(listener: (update: Update) => void): () => void {
    let wanted = true;
    // Updates from after the answer follow it; those from before are in it.
    this.connection.ask<Told>({ do: 'tell', stream: this.id }).then(
      (told) => {
        if (!wanted) return;
        this.heard.add(listener);
        listener(this.updateOf(told));
      },
      () => undefined, // disposed of meanwhile
    );
    return () => {
      wanted = false;
      this.heard.delete(listener);
    };
  }
  advance(playhead: number): void {
    this.connection.send({ advance: playhead, stream: this.id });
  }
  async *notes(): AsyncGenerator<Note> {
    let waiting: Note[] = [];
    let known = 0;
    let start: number | undefined;
    let last = -1;
    let wake = () => {};
    const off = this.onUpdate(({ from, notes, state }) => {
      start ??= state.start;
      known = state.generatedTo;
      waiting = waiting.filter((note) => note.event < from);
      for (const note of notes) if (note.event > last && note.onset >= start) waiting.push(note);
      wake();
    });
    this.gone.signal.addEventListener('abort', () => wake());
    try {
      while (!this.gone.signal.aborted) {
        if (waiting.length === 0 || waiting[0]!.onset >= known) {
          await new Promise<void>((woken) => (wake = woken));
          continue;
        }
        const note = waiting.shift()!;
        last = note.event;
        yield note;
        this.advance(note.onset);
      }
    } finally {
      off();
    }
  }
  change(settings: Partial<Settings>, amend = false): Promise<void> {
    this.settings = { ...this.settings, ...settings };
    return this.connection.ask({ do: 'change', stream: this.id, settings: this.settings, amend });
  }
  again(from = -1): Promise<void> {
    return this.connection.ask({ do: 'again', stream: this.id, from });
  }
  undo(): Promise<void> {
    return this.connection.ask({ do: 'undo', stream: this.id });
  }
  redo(): Promise<void> {
    return this.connection.ask({ do: 'redo', stream: this.id });
  }
  seek(to: number): Promise<void> {
    return this.connection.ask({ do: 'seek', stream: this.id, to });
  }
  startTakes(count: number, seconds: number): Promise<void> {
    return this.connection.ask({ do: 'startTakes', stream: this.id, count, seconds });
  }
  async takeNotes(id: number): Promise<Note[]> {
    return fromFlat(await this.connection.ask<Float64Array>({ do: 'takeNotes', stream: this.id, id }));
  }
  acceptTake(id: number): Promise<void> {
    return this.connection.ask({ do: 'acceptTake', stream: this.id, id });
  }
  dropTakes(): Promise<void> {
    return this.connection.ask({ do: 'dropTakes', stream: this.id });
  }
  save(): Promise<Uint8Array> {
    return this.connection.ask({ do: 'save', stream: this.id });
  }
  async dispose(): Promise<void> {
    this.gone.abort();
    this.connection.listeners.delete(this.id);
    await this.connection.ask({ do: 'dispose', stream: this.id });
  }
}

class WorkerEngine implements Engine {
  constructor(
    private readonly connection: Connection,
    readonly model: ModelInfo,
  ) {}
  async createStream(options: StreamOptions = {}): Promise<Stream> {
    const settings = { ...DEFAULT_SETTINGS, ...options.settings };
    const id = await this.connection.ask<number>({
      do: 'create',
      options: {
        settings,
        prompt: toFlat(options.prompt ?? []),
        lookAhead: options.lookAhead ?? 4,
        velocity: options.velocity ?? 0,
        session: options.session ?? null,
      },
    });
    return new WorkerStream(this.connection, id, settings);
  }
  async readMidi(bytes: Uint8Array): Promise<Note[]> {
    return fromFlat(await this.connection.ask<Float64Array>({ do: 'readMidi', bytes }));
  }
  writeMidi(notes: Omit<Note, 'event'>[], prompt?: Uint8Array): Promise<Uint8Array> {
    return this.connection.ask({ do: 'writeMidi', notes: toFlat(notes), prompt: prompt ?? null });
  }
  async dispose(): Promise<void> {
    this.connection.worker.terminate(); // with all its memory
    this.connection.fail(new EngineError('cancelled', 'the engine was disposed of'));
  }
}

/** Starts the engine in a worker and loads a model. Rejects with an EngineError. */
export async function load(options: LoadOptions): Promise<Engine> {
  const connection = new Connection();
  connection.onProgress = options.onProgress;
  const cancel = () => connection.send({ cancelLoad: true });
  options.signal?.addEventListener('abort', cancel);
  try {
    const base = new URL(options.base ?? './wasm/', options.base ? globalThis.location?.href : import.meta.url).href;
    const model = await connection.ask<ModelInfo>({ do: 'load', model: options.model, threads: options.threads, base });
    return new WorkerEngine(connection, model);
  } catch (error) {
    connection.worker.terminate();
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', cancel);
  }
}

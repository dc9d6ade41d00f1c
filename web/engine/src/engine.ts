// The engine for a page: load() starts a worker, and everything here asks it.
import type { FromWorker, Request, ToWorker } from './messages.ts';
import { fromFlat, toFlat } from './notes.ts';
import { DEFAULT_SETTINGS } from './settings.ts';
import type {
  Engine, EngineErrorData, LoadOptions, ModelInfo, Note, Settings, Stream, StreamOptions, StreamState, Update,
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
    this.worker.onerror = (event) => this.fail(new EngineError('internal', event.message || 'the engine could not be started: reload the page'));
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

class WorkerStream implements Stream {
  private readonly heard = new Set<(update: Update) => void>();
  private readonly broken = new Set<(error: EngineErrorData) => void>();
  private all: Note[] = [];
  private state: StreamState | null = null;
  private settings: Settings;
  private disposed = false;

  constructor(
    private readonly connection: Connection,
    private readonly id: number,
    settings: Settings,
  ) {
    this.settings = settings;
    connection.listeners.set(id, (message) => {
      if ('failed' in message) for (const listener of this.broken) listener(new EngineError(message.error.code, message.error.message));
      else this.update(message.from, fromFlat(message.notes), message.state);
    });
  }
  onError(listener: (error: EngineErrorData) => void): () => void {
    this.broken.add(listener);
    return () => this.broken.delete(listener);
  }
  private update(from: number, notes: Note[], state: StreamState): void {
    let keep = this.all.length;
    while (keep > 0 && this.all[keep - 1]!.event >= from) --keep;
    this.all.length = keep;
    for (const note of notes) this.all.push(note);
    this.settings = { ...state.settings, processor: this.settings.processor };
    this.state = { ...state, settings: this.settings };
    for (const listener of this.heard) listener({ from, notes, state: this.state });
  }
  onUpdate(listener: (update: Update) => void): () => void {
    this.heard.add(listener);
    if (this.state) listener({ from: 0, notes: this.all.slice(), state: this.state });
    return () => this.heard.delete(listener);
  }
  advance(playhead: number): void {
    this.connection.send({ advance: playhead, stream: this.id });
  }
  async *notes(): AsyncGenerator<Note> {
    let next = this.state?.start ?? 0;
    let last = -1;
    while (!this.disposed) {
      const known = this.state ? this.state.generatedTo : next;
      for (const note of this.all.filter((n) => n.event > last && n.onset >= next && n.onset < known)) {
        last = note.event;
        yield note;
        this.advance(note.onset);
      }
      await new Promise<void>((wake) => {
        const off = this.onUpdate((update) => {
          if (update.state.generatedTo <= known && !this.disposed) return;
          queueMicrotask(() => off());
          wake();
        });
      });
      next = Math.min(next, known);
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
    this.disposed = true;
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

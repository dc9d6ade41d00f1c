// One listener's session: the engine, the stream that plays, and what the page shows of them. The page calls it and
// reads its fields; nothing else talks to the engine.
import { load, type Engine, type EngineErrorData, type LoadProgress, type ModelInfo, type ModelSource, type Note, type Settings, type Stream, type StreamState } from 'midinfinite';
import { SvelteMap } from 'svelte/reactivity';
import type { FontProgress } from '../audio/font.ts';
import { DEFAULT_STRIP, Player, type Strip } from '../audio/player.ts';
import { Exporter, type Rendered } from '../export/exporter.svelte.ts';
import { plan, type Stretch } from '../export/plan.ts';
import { bytesOf, LONGEST_SECONDS } from '../export/wav.ts';
import { Live } from '../live/live.svelte.ts';
import { fromZero, type PlayedNote } from '../live/recorder.ts';
import { writeLink, type Shared } from '../share/link.ts';
import type { SharedSettings } from '../share/settings.ts';
import { DEFAULT_CHOICES, type Choices } from './choices.ts';
import { describeFailure, type Advice, type Failure } from './failure.ts';
import { Opening } from './opening.ts';
import { Pieces } from './pieces.svelte.ts';
import { recall, remember } from './remember.ts';
import type { Saved } from './saved.ts';
import { whatIsMissing } from './support.ts';
import { tryModel } from './try-model.ts';
import { keepAwake } from './wake-lock.ts';

export const MODEL_BYTES = __MODEL_BYTES__;
/** Set once the model lies in this browser's storage: the next visit loads it without being asked. */
const LOADED_BEFORE = 'loaded-before';
const SAVE_EVERY_MS = 10_000;
const POLL_MS = 100;
/** After the last change of the choices. */
const PREPARE_AFTER_MS = 300;
/** Instruments keep their mixer strip so long after their last note, in seconds of music. */
const STRIP_STAYS = 20;
/** Playheads are rounded, in seconds. */
const SAME_PLACE = 0.05;
export const TAKES = 3;
export const TAKE_SECONDS = 8;
/** Seconds of music beyond what is heard: a dense passage, or twice the speed, is no gap. */
export const LOOK_AHEAD = 8;
/** A piece of another page or tab. */
const NEWER: Advice = { unsupported: 'Reload the page: a newer version of it wrote this piece.' };
/** Prompts are heard from so many seconds before new music begins. */
const PROMPT_HEARD = 8;

interface Prompt {
  name: string;
  /** The file, where all of it was taken: an export keeps its own events. */
  whole: Uint8Array<ArrayBuffer> | undefined;
}

interface Beginning {
  prompt?: Prompt;
  /** Of the prompt. */
  notes?: PlayedNote[];
  settings?: SharedSettings;
  /** One of earlier. */
  piece?: Saved;
}

export class Session {
  phase = $state<'idle' | 'loading' | 'ready'>('idle');
  progress = $state.raw<LoadProgress | undefined>();
  sounds = $state.raw<FontProgress | undefined>();
  soundsReady = $state(false);
  /** Stops everything until it is dealt with. */
  failure = $state.raw<Failure | undefined>();
  notice = $state.raw<(Failure & { passes: boolean }) | undefined>();
  playing = $state(false);
  waiting = $state(false);
  position = $state(0);
  underruns = $state(0);
  stream = $state.raw<StreamState | undefined>();
  choices = $state<Choices>({ seed: randomSeed(), ...DEFAULT_CHOICES });
  /** As it was chosen: relative keys have one mask. */
  scale = $state.raw<{ root: number; mode: number } | undefined>();
  speed = $state(1);
  transpose = $state(0);
  volume = $state(Number(recall('volume') ?? 0.8));
  /** The music sounds here, and not only where MIDI goes. */
  local = $state(true);
  strips = new SvelteMap<number, Strip>();
  /** In the order in which they first played: their colours. */
  order = $state.raw<number[]>([]);
  /** Those with a strip in the mixer. */
  present = $state.raw<number[]>([]);
  sounding = $state.raw<ReadonlySet<number>>(new Set());
  notesPerSecond = $state(0);
  /** A stretch of the music that the listener picked. */
  selection = $state.raw<Stretch | undefined>();
  prompt = $state.raw<Prompt | undefined>();
  /** What is waited for: the music that was asked for is not there yet. */
  beginning = $state<string | undefined>();
  model = $state.raw<ModelInfo | undefined>();
  /** Of the file, where the listener brought one. */
  modelName = $state<string | undefined>();
  /** A file is being tried as a model. */
  trying = $state<string | undefined>();

  readonly player = new Player();
  readonly live = new Live(this.player);
  readonly exporter = new Exporter();
  readonly pieces = new Pieces();
  #engine: Engine | undefined;
  #loading: Promise<boolean> = Promise.resolve(false);
  #cancel = new AbortController();
  #music: Stream | undefined;
  // Counts what was begun: a stream that comes after another was asked for is let go.
  #begun = 0;
  readonly #opening = new Opening();
  #prepareTimer: ReturnType<typeof setTimeout> | undefined;
  // What trying again does.
  #asked: (() => Promise<unknown>) | undefined;
  // The beginning that is under way.
  #making: Promise<unknown> = Promise.resolve();
  #stopListening: () => void = () => {};
  #lastPlayed = new Map<number, number>();
  // Settings wait here while the engine is still busy with earlier ones: a dragged slider sends what is newest.
  #unsent: { settings: Partial<Settings>; amend: boolean } | undefined;
  #sending = false;
  // And here while another engine takes the music over.
  #holding = false;
  // While the engine moves the playhead, the player must not report the old one.
  #moving = 0;
  // Where the engine's playhead is.
  #advanced = 0;
  #noticeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.player.setMasterVolume(this.volume);
    this.player.onTick = () => this.#tellPlace();
    this.player.onSoundsLost = () => {
      this.soundsReady = false;
      void this.#loadSounds();
    };
    this.player.mayBegin = () => this.#moving === 0 && !this.#sending;
    setInterval(() => this.#poll(), POLL_MS);
    setInterval(() => this.playing && void this.save(), SAVE_EVERY_MS);
    document.addEventListener('visibilitychange', () => document.hidden && void this.save());
    this.failure = whatIsMissing();
    if (this.failure === undefined && recall(LOADED_BEFORE) !== null) void this.load();
  }

  // ---- loading

  /** Whether the engine is there; whoever asks while it is being loaded waits for it. */
  load(): Promise<boolean> {
    if (this.phase === 'idle') this.#loading = this.#load();
    return this.#loading;
  }

  async #load(): Promise<boolean> {
    this.phase = 'loading';
    this.failure = undefined;
    this.#cancel = new AbortController();
    try {
      const engine = await load({
        model: bundledModel(),
        onProgress: (progress) => {
          this.progress = progress;
          // The stored model is gone: so much is not fetched before somebody asks for music.
          if (progress.phase === 'download' && !this.playing) this.#cancel.abort();
        },
        signal: this.#cancel.signal,
      });
      // One from a file may have come meanwhile.
      if (this.#engine === undefined) this.#use(engine);
      else void engine.dispose();
    } catch (error) {
      this.progress = undefined;
      if (this.#engine === undefined) {
        if (!this.#cancel.signal.aborted) this.#fail(error, 'Loading failed');
        else if (this.playing) return this.#load();
        this.phase = 'idle';
        return false;
      }
    }
    this.phase = 'ready';
    if (!this.playing) this.#prepare();
    void this.#loadSounds();
    return true;
  }

  #prepare(): void {
    if (this.#engine === undefined || this.#music !== undefined || this.#begun > 0) return;
    this.#opening.write(this.#engine, $state.snapshot(this.choices), LOOK_AHEAD);
  }

  /** What was fetched so far is kept. */
  cancelLoading(): void {
    this.playing = false;
    this.#asked = undefined;
    this.#cancel.abort();
  }

  /** For the listener's own playing, which needs no model. */
  openKeys(): void {
    this.live.open = true;
    this.player.unlock();
    if (!this.soundsReady && this.phase !== 'loading') void this.#loadSounds();
  }

  async #loadSounds(): Promise<void> {
    try {
      await this.player.loadSounds((progress) => (this.sounds = progress));
      this.soundsReady = true;
    } catch (error) {
      this.#fail(error, 'Loading failed');
    }
  }

  retry(): void {
    this.failure = whatIsMissing();
    if (this.failure !== undefined) return;
    if (this.phase === 'ready' && !this.soundsReady) void this.#loadSounds();
    void (this.#asked?.() ?? this.play());
  }

  #use(engine: Engine, name?: string): void {
    this.#engine = engine;
    this.model = engine.model;
    this.modelName = name;
    if (name !== undefined) return;
    remember(LOADED_BEFORE, this.model.kept ? 'yes' : null);
    if (!this.model.kept) this.tell('The model plays from memory: this browser has no room to keep it, or may not.', 'The next visit fetches it again.');
  }

  /** Plays on with a model from a file, which may be anything. */
  useModel(file: File): Promise<void> {
    return this.#changeModel(file, file.name);
  }

  /** Back to the model that comes with the app. */
  useBundledModel(): Promise<void> {
    return this.#changeModel(bundledModel());
  }

  /** What plays is left only for a model that writes music. */
  async #changeModel(model: ModelSource, name?: string): Promise<void> {
    if (this.trying !== undefined) return;
    const called = (this.trying = name ?? 'mini');
    try {
      const session = await this.#music?.save();
      const engine = await tryModel(model, { session, settings: $state.snapshot(this.choices), lookAhead: LOOK_AHEAD });
      await this.#changeEngine(engine, name);
      this.#say(`“${called}” plays now.`);
    } catch (error) {
      this.tell(describeFailure(error, `“${called}” is not used`).what, 'Everything stays as it was.');
    } finally {
      this.trying = undefined;
    }
  }

  /** Takes the music along as it is by now: it was played, changed or begun anew while the model was tried. */
  async #changeEngine(engine: Engine, name: string | undefined): Promise<void> {
    let music: Stream | undefined;
    let begun: number;
    this.#holding = true;
    try {
      do {
        await music?.dispose();
        await this.#making;
        begun = this.#begun;
        const session = await this.#music?.save();
        music = session && (await engine.createStream({ session }));
      } while (begun !== this.#begun);
      const old = this.#engine;
      const position = this.player.position;
      this.#stopListening();
      this.#opening.drop();
      this.#use(engine, name);
      this.phase = 'ready';
      this.#cancel.abort(); // of the model that is being loaded
      if (music !== undefined) {
        await this.#listen(music, this.stream?.start);
        if (music === this.#music) this.seek(position);
      }
      void old?.dispose();
    } catch (error) {
      if (engine !== this.#engine) void engine.dispose();
      throw error;
    } finally {
      this.#holding = false;
      void this.#send();
    }
    if (this.#music === undefined) this.#prepare();
    if (!this.soundsReady) void this.#loadSounds();
  }

  #dropEngine(): void {
    this.#opening.drop();
    void this.#engine?.dispose();
    this.#stopListening();
    this.#engine = undefined;
    this.#music = undefined;
    this.#begun = 0;
    this.phase = 'idle';
  }

  /** The engine writes no more. What was saved last can go on in a new one. */
  #broke(error: EngineErrorData): void {
    this.#dropEngine();
    this.player.pause();
    const piece = this.pieces.leave();
    this.#asked = piece && (() => this.goOn(piece));
    this.#fail(error, 'The music cannot go on');
  }

  // ---- playing

  async play(): Promise<void> {
    // Before anything is awaited: the tap unlocks audio only while it is handled.
    this.player.unlock();
    this.playing = true;
    if (!(await this.load())) return;
    if (this.#music === undefined && this.#begun === 0) await this.#begin({});
    this.#startClock();
  }

  pause(): void {
    this.playing = false;
    if (this.live.recording === 'along') this.live.stopRecording();
    this.player.pause();
    void this.save();
  }

  toggle(): void {
    if (this.playing) this.pause();
    else if (this.failure !== undefined) this.retry();
    else void this.play();
  }

  seek(to: number): void {
    void this.#seek(to);
  }

  async #seek(to: number): Promise<void> {
    const music = this.#music;
    if (music === undefined || this.stream === undefined) return;
    const target = Math.max(0, Math.min(to, this.stream.generatedTo - 0.1));
    await this.#move(() => music.seek(target), target);
  }

  /** Other music from here on. */
  again(): void {
    const music = this.#music;
    if (music !== undefined) void this.#move(() => music.again());
  }

  undo(): void {
    const music = this.#music;
    if (music !== undefined && (this.stream?.undoSteps ?? 0) > 0) void this.#move(() => music.undo());
  }

  redo(): void {
    const music = this.#music;
    if (music !== undefined && (this.stream?.redoSteps ?? 0) > 0) void this.#move(() => music.redo());
  }

  startTakes(): void {
    const music = this.#music;
    if (music !== undefined) void this.#move(() => music.startTakes(TAKES, TAKE_SECONDS));
  }

  async takeNotes(id: number): Promise<Note[]> {
    return (await this.#music?.takeNotes(id).catch(() => undefined)) ?? []; // it may be gone meanwhile
  }

  acceptTake(id: number): void {
    const music = this.#music;
    if (music !== undefined) void this.#move(() => music.acceptTake(id));
  }

  dropTakes(): void {
    const music = this.#music;
    if (music !== undefined) void this.#move(() => music.dropTakes());
  }

  // ---- choices

  /** `amend`: part of the change before, as while a slider is dragged. */
  change(settings: Partial<Choices>, amend = false): void {
    Object.assign(this.choices, settings);
    if (this.#music === undefined && this.#begun === 0) {
      clearTimeout(this.#prepareTimer);
      this.#prepareTimer = setTimeout(() => this.#prepare(), PREPARE_AFTER_MS);
      return;
    }
    const before = this.#unsent;
    this.#unsent = { settings: { ...before?.settings, ...settings }, amend: amend && (before?.amend ?? true) };
    void this.#send();
  }

  setSpeed(speed: number): void {
    this.speed = speed;
    this.player.setSpeed(speed);
    this.#music?.setSpeed(speed);
  }

  setTranspose(semitones: number): void {
    this.transpose = semitones;
    this.player.setTranspose(semitones);
  }

  setVolume(volume: number): void {
    this.volume = volume;
    remember('volume', String(volume));
    this.player.setMasterVolume(volume);
  }

  setLocal(local: boolean): void {
    this.local = local;
    this.player.setLocal(local);
  }

  setStrip(instrument: number, change: Partial<Strip>): void {
    this.strips.set(instrument, { ...this.strip(instrument), ...change });
    this.player.setStrips(this.strips);
  }

  strip(instrument: number): Strip {
    return this.strips.get(instrument) ?? DEFAULT_STRIP;
  }

  // ---- beginnings

  /** A new piece from nothing, under the choices as they are and another seed. */
  async startNew(): Promise<void> {
    this.player.unlock();
    this.choices.seed = randomSeed();
    await this.#startOver({});
  }

  /** Goes on from a file; from its first `seconds` if they are fewer than it has. */
  async startFrom(name: string, bytes: Uint8Array<ArrayBuffer>, seconds: number): Promise<void> {
    this.player.unlock();
    this.#asked = () => this.startFrom(name, bytes, seconds);
    this.playing = true;
    if (!(await this.load()) || this.#engine === undefined) return;
    let notes: Note[];
    let whole: Prompt['whole'];
    try {
      const all = await this.#engine.readMidi(bytes);
      notes = all.filter((note) => note.onset < seconds);
      if (notes.length === 0) throw new Error('it has no notes');
      if (notes.length === all.length) whole = bytes;
    } catch (error) {
      this.#asked = undefined;
      this.playing = this.#music !== undefined && !this.player.stopped;
      this.tell(describeFailure(error, `“${name}” could not be read`).what, 'Try another MIDI file.');
      return;
    }
    await this.#startOver({ prompt: { name, whole }, notes }, () => (this.stream?.start ?? 0) - PROMPT_HEARD);
  }

  /** Goes on from what the listener played: an answer to it, or the music so far with it. */
  async startFromPlayed(): Promise<void> {
    const { notes, along } = this.live.recorded();
    if (notes.length === 0) return;
    this.player.unlock();
    const itsEnd = () => this.stream?.start ?? 0;
    if (along === undefined) {
      await this.#startOver({ prompt: { name: 'What you played', whole: undefined }, notes: fromZero(notes) }, itsEnd);
      return;
    }
    const { notes: music } = this.player;
    const heard: PlayedNote[] = [...music.notes()].slice(0, music.firstAt(along));
    const together = [...heard, ...notes].sort((one, other) => one.onset - other.onset);
    await this.#startOver({ prompt: { name: 'The music and what you played', whole: undefined }, notes: together }, itsEnd);
  }

  /** Plays what a link brought, with its settings, and goes on from it. Whether it does. */
  startFromShared({ notes, settings }: Shared): Promise<boolean> {
    this.player.unlock();
    return this.#startOver({ prompt: { name: 'Music from a link', whole: undefined }, notes, settings });
  }

  /** An earlier piece, from where it was left. */
  async goOn(piece: Saved): Promise<void> {
    this.player.unlock();
    await this.#startOver({ piece }, () => piece.position);
  }

  /** Plays from the beginning, or from elsewhere, known once the music is there. */
  async #startOver(from: Beginning, position?: () => number): Promise<boolean> {
    this.#asked = () => this.#startOver(from, position);
    this.playing = true;
    if (!(await this.load()) || !(await this.#begin(from))) return false;
    if (position !== undefined) await this.#seek(position());
    this.#startClock();
    return true;
  }

  #startClock(): void {
    if (this.playing && this.#music !== undefined) this.player.play();
  }

  /** Whether it begins: something else may have been asked for meanwhile. */
  #begin(from: Beginning): Promise<boolean> {
    const made = this.#make(from);
    this.#making = made;
    return made;
  }

  async #make(from: Beginning): Promise<boolean> {
    const engine = this.#engine;
    if (engine === undefined) return false;
    const mine = ++this.#begun;
    this.#stopListening();
    const old = this.#music;
    const left = this.#snapshot();
    this.#music = undefined;
    this.#unsent = undefined;
    this.beginning = from.prompt ? `Reading “${from.prompt.name}”…` : 'A moment…';
    this.player.clear();
    this.player.seek(from.piece?.position ?? 0);
    this.selection = undefined;
    this.order = [];
    this.present = [];
    this.#lastPlayed.clear();
    this.#dress(from);
    try {
      this.pieces.leave(await left);
      await old?.dispose();
      if (mine !== this.#begun) return false;
      const settings = $state.snapshot(this.choices);
      const opening = from.piece || from.notes ? undefined : this.#opening.take(settings);
      this.#opening.drop();
      const music = await (opening ?? engine.createStream(from.piece ? { session: from.piece.stream } : { settings, prompt: from.notes, lookAhead: LOOK_AHEAD }));
      if (mine !== this.#begun) {
        void music.dispose();
        return false;
      }
      this.pieces.begin(from.piece);
      await this.#listen(music, from.piece?.start);
    } catch (error) {
      if (mine !== this.#begun) return false;
      this.#begun = 0;
      // It may never answer again.
      if (['internal', 'out of memory'].includes((error as Partial<EngineErrorData>).code ?? '')) this.#dropEngine();
      this.#fail(error, 'The music could not begin', from.piece && NEWER);
      return false;
    }
    if (mine !== this.#begun) return false;
    this.beginning = undefined;
    this.#asked = undefined;
    void this.#send();
    return true;
  }

  /** The page's own part of a beginning. */
  #dress({ prompt, settings, piece }: Beginning): void {
    this.prompt = prompt ?? piece?.prompt;
    if (settings !== undefined) {
      const { speed, transpose, ...choices } = settings;
      Object.assign(this.choices, choices);
      this.scale = undefined;
      this.setSpeed(speed);
      this.setTranspose(transpose);
    }
    if (piece !== undefined) {
      this.setSpeed(piece.speed);
      this.setTranspose(piece.transpose);
      this.scale = piece.scale;
      this.strips.clear();
      for (const [instrument, strip] of piece.strips) this.strips.set(instrument, strip);
    } else {
      // Who played alone may not play in this one, and would silence it.
      for (const [instrument, strip] of this.strips) if (strip.solo) this.strips.set(instrument, { ...strip, solo: false });
    }
    this.player.setStrips(this.strips);
  }

  async #listen(music: Stream, start?: number): Promise<void> {
    this.#music = music;
    music.setSpeed(this.speed);
    const deaf = music.onError((error) => this.#broke(error));
    await new Promise<void>((first) => {
      const off = music.onUpdate((update) => {
        this.stream = start === undefined ? update.state : { ...update.state, start };
        this.player.update(update);
        this.#seen(update.notes);
        // What the listener is choosing right now is newer than what the engine tells.
        if (!this.#sending && this.#unsent === undefined) this.#adopt(update.state.settings);
        first();
      });
      this.#stopListening = () => {
        off();
        deaf();
        first();
      };
    });
    this.#advanced = this.stream?.playhead ?? 0;
  }

  // ---- keeping

  async save(): Promise<void> {
    const piece = await this.#snapshot();
    if (piece !== undefined) await this.pieces.keep(piece);
  }

  /** What plays, as it can go on; undefined: nothing does, or the engine does not say. */
  async #snapshot(): Promise<Saved | undefined> {
    const { id } = this.pieces;
    if (this.#music === undefined || id === undefined) return undefined;
    const page = {
      id,
      savedAt: Date.now(),
      position: this.player.position,
      start: this.stream?.start ?? 0,
      speed: this.speed,
      transpose: this.transpose,
      strips: [...this.strips].map(([instrument, strip]): [number, Strip] => [instrument, { ...strip }]),
      scale: this.scale,
      prompt: this.prompt,
    };
    const stream = await this.#music.save().catch(() => undefined);
    return stream && { ...page, stream: new Uint8Array(stream) };
  }

  /** From its beginning to what is generated. */
  get whole(): Stretch {
    return { from: 0, to: this.stream?.generatedTo ?? 0 };
  }

  /** Everything heard and generated so far, or a stretch of it, as a Standard MIDI File. */
  async exportMidi(stretch?: Stretch): Promise<Uint8Array | undefined> {
    if (this.#engine === undefined || this.stream === undefined) return undefined;
    const { notes } = this.player;
    try {
      if (stretch !== undefined) return await this.#engine.writeMidi(notes.within(stretch.from, stretch.to));
      const whole = this.prompt?.whole;
      const made = [...notes.notes(whole === undefined ? 0 : notes.firstAt(this.stream.start))];
      return await this.#engine.writeMidi(made, whole);
    } catch (error) {
      this.#tell(error, 'The MIDI file could not be written');
      return undefined;
    }
  }

  /** A stretch as it is heard, as a WAV file, or as one for each instrument in a .zip. */
  async exportAudio(stretch: Stretch, stems: boolean): Promise<Rendered | undefined> {
    if ((stretch.to - stretch.from) / this.speed > LONGEST_SECONDS) {
      this.tell('A sound file cannot be larger than 4 GB.', 'Pick a stretch that plays for 4 hours and 20 minutes at most, or save the MIDI file.');
      return undefined;
    }
    const tracks = plan(this.player.notes.notes(), stretch, {
      speed: this.speed,
      transpose: this.transpose,
      volumeOf: (instrument) => this.player.volumeOf(instrument),
    });
    if (tracks.length === 0) {
      this.tell('Nothing is heard there.', 'Pick a stretch with notes, and instruments that are not muted.');
      return undefined;
    }
    try {
      return await this.exporter.render(tracks, stems, this.fileName);
    } catch (error) {
      this.#tell(error, 'The sound file could not be made');
      return undefined;
    }
  }

  /** What exportAudio() makes of it at most, in bytes. */
  audioBytes({ from, to }: Stretch, stems: boolean): number {
    const heard = this.order.filter((instrument) => this.player.volumeOf(instrument) > 0).length;
    return bytesOf((to - from) / this.speed) * (stems ? 1 + heard : 1);
  }

  /** A link to a stretch, with the settings; `from`: where in it that begins which fits. */
  async shareLink({ from, to }: Stretch): Promise<{ link: string; from: number } | undefined> {
    const notes = this.player.notes.within(from, to);
    if (notes.length === 0) {
      this.tell('There are no notes.', 'Pick a stretch with notes.');
      return undefined;
    }
    try {
      return await writeLink(location.href, notes, { ...$state.snapshot(this.choices), speed: this.speed, transpose: this.transpose });
    } catch (error) {
      this.#tell(error, 'The link could not be made');
      return undefined;
    }
  }

  /** What files of this music are called, without their ending. */
  get fileName(): string {
    return `midinfinite-${this.choices.seed}`;
  }

  /** Stays until it is closed. */
  tell(what: string, advice: string): void {
    clearTimeout(this.#noticeTimer);
    this.notice = { what, advice, passes: false };
  }

  /** Went well: passes by itself. */
  #say(what: string): void {
    clearTimeout(this.#noticeTimer);
    this.notice = { what, advice: '', passes: true };
    this.#noticeTimer = setTimeout(() => (this.notice = undefined), 7000);
  }

  // ---- inside

  async #send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    try {
      while (this.#unsent !== undefined && this.#music !== undefined && !this.#holding) {
        const { settings, amend } = this.#unsent;
        this.#unsent = undefined;
        this.#tellPlace();
        // The choices are proxies of Svelte's, which cannot cross to a worker.
        await this.#music.change($state.snapshot(settings), amend);
      }
    } catch (error) {
      this.#tell(error, 'This setting was not taken');
      // What the engine said last is what holds. After a change that was taken it may not have said so yet.
      if (this.stream !== undefined) this.#adopt(this.stream.settings);
    } finally {
      this.#sending = false;
    }
  }

  #adopt({ seed, ensemble, temperature, topP, density, frequencyPenalty, polyphony, pace, scale }: Settings): void {
    Object.assign(this.choices, { seed, ensemble, temperature, topP, density, frequencyPenalty, polyphony, pace, scale });
  }

  /** Where what is chosen next acts. */
  #tellPlace(): void {
    if (this.#moving > 0 || this.#music === undefined) return;
    this.#advanced = this.player.frontier;
    if (this.player.stands) this.#music.stand(this.#advanced);
    else this.#music.advance(this.#advanced);
  }

  /** Does what may put the engine's playhead elsewhere, and takes the player there. */
  async #move(act: () => Promise<void>, to?: number): Promise<void> {
    this.#tellPlace();
    ++this.#moving;
    try {
      await act();
    } catch (error) {
      this.#tell(error, 'That was not possible');
      return;
    } finally {
      --this.#moving;
    }
    // The player went on meanwhile; the engine may have stayed.
    const there = to ?? this.stream?.playhead ?? this.#advanced;
    if (to !== undefined || Math.abs(there - this.#advanced) > SAME_PLACE) this.player.seek((this.#advanced = there));
  }

  #seen(notes: Note[]): void {
    let news = false;
    for (const { instrument, onset } of notes) {
      this.#lastPlayed.set(instrument, Math.max(onset, this.#lastPlayed.get(instrument) ?? 0));
      if (!this.order.includes(instrument)) {
        this.order = [...this.order, instrument];
        news = true;
      }
    }
    if (news) this.#poll();
  }

  #poll(): void {
    keepAwake(this.playing);
    this.position = this.player.heard;
    this.waiting = this.player.waiting;
    this.underruns = this.player.underruns;
    const { notes } = this.player;
    const here = this.position;
    const sounding = new Set<number>();
    if (this.playing) {
      const last = notes.firstAt(here);
      for (let i = notes.firstAt(here - notes.longest); i < last; ++i) {
        // A struck drum has no length to speak of; its light should still be seen.
        if (Math.max(notes.end[i]!, notes.onset[i]! + 0.12) > here) sounding.add(notes.instrument[i]!);
      }
    }
    if (!sameMembers(sounding, this.sounding)) this.sounding = sounding;
    const present = this.order.filter(
      (instrument) => this.strips.has(instrument) || (this.#lastPlayed.get(instrument) ?? 0) > here - STRIP_STAYS,
    );
    if (present.length !== this.present.length || present.some((one, i) => one !== this.present[i])) this.present = present;
    const since = Math.max(0, here - 20);
    const span = (this.stream?.generatedTo ?? 0) - since;
    this.notesPerSecond = span > 1 ? (notes.length - notes.firstAt(since)) / span : 0;
  }

  #tell(error: unknown, doing: string): void {
    const { what, advice } = describeFailure(error, doing);
    this.tell(what, advice);
  }

  #fail(error: unknown, doing: string, advice?: Advice): void {
    this.failure = describeFailure(error, doing, advice);
    this.playing = false;
    this.beginning = undefined;
  }
}

const bundledModel = () => ({ url: new URL('models/mini-q8_0.gguf', document.baseURI).href, sha256: __MODEL_SHA256__, bytes: MODEL_BYTES });

function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! % 1_000_000;
}

function sameMembers(one: ReadonlySet<number>, other: ReadonlySet<number>): boolean {
  return one.size === other.size && [...one].every((member) => other.has(member));
}

// Draws the piano roll: what was heard is solid, what sounds is lit, what is generated but not yet heard is hollow, and
// what is not written yet is shaded. Only what is visible is looked at; nothing here measures or changes the page.
import { DRUMS } from '../music/general-midi.ts';
import type { NoteStore } from '../music/note-store.ts';
import type { RollTheme } from './palette.ts';

export interface RollFrame {
  notes: NoteStore;
  /** Seconds of music: what is heard now, up to where it is written, and where the prompt ends. */
  heard: number;
  /** The moment at the playhead's place: what is heard, unless the listener looks elsewhere. */
  view: number;
  writtenTo: number;
  promptEnd: number;
  /** Picked by the listener, in seconds of music. */
  selection: { from: number; to: number } | undefined;
  theme: RollTheme;
  colour: (instrument: number) => string;
  silent: (instrument: number) => boolean;
  /** All others are dimmed. */
  highlighted: number | undefined;
  /** Pages turn instead of scrolling. */
  still: boolean;
}

export const RULER = 26;
const GUTTER = 48;
const BLACK_KEYS = [1, 3, 6, 8, 10];
/** Of the gutter's width. */
const BLACK_KEY_LENGTH = 0.62;
/** Fewest semitones in view: few notes should not become beams. */
const FEWEST_PITCHES = 30;
/** Of the drum lane from its top. */
const DRUM_ROWS = ['Cymbals', 'Hi-hat', 'Toms', 'Snare', 'Kick'];
/** Pixels from which on a row has room for its name. */
const NAMED_ROW = 12;

export class RollRenderer {
  width = 0;
  height = 0;
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  #low = 48;
  #high = 84;
  #start = 0;
  #perSecond = 80;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d', { alpha: false })!;
  }

  resize(width: number, height: number, ratio: number): void {
    this.width = width;
    this.height = height;
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(height * ratio);
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  /** Returns whether the picture is still moving by itself, as while the range of pitches adapts. */
  draw(frame: RollFrame): boolean {
    const { notes, heard } = frame;
    this.#place(frame);
    const first = notes.firstAt(this.#start - notes.longest);
    const last = notes.firstAt(this.#timeAt(this.width));
    const adapting = this.#fitPitches(frame, first, last);
    this.#drawGround(frame);
    const lit = this.#drawNotes(frame, first, last);
    this.#drawFuture(frame);
    this.#drawKeys(frame, lit);
    this.#drawRuler(frame);
    this.#drawSelection(frame);
    if (notes.length > 0) this.#drawPlayhead(frame, this.#x(heard));
    return adapting;
  }

  /** Index of the note at a point, the latest drawn first. */
  noteAt(notes: NoteStore, x: number, y: number): number | undefined {
    const time = this.#timeAt(x);
    for (let i = notes.firstAt(time + 4 / this.#perSecond) - 1; i >= 0 && notes.onset[i]! > time - notes.longest - 1; --i) {
      const { left, top, width, height } = this.#box(notes, i);
      if (x >= left - 2 && x <= left + width + 2 && y >= top - 2 && y <= top + height + 2) return i;
    }
    return undefined;
  }

  timeAt(x: number): number {
    return Math.max(0, this.#timeAt(x));
  }

  /** What so many pixels are in seconds. */
  seconds(pixels: number): number {
    return pixels / this.#perSecond;
  }

  #place({ notes, heard, view, still }: RollFrame): void {
    const span = this.width - GUTTER;
    this.#perSecond = Math.min(96, Math.max(44, span / 13));
    // Room for what is generated ahead, right of the playhead.
    const future = Math.min(5.2 * this.#perSecond, span * 0.58);
    const past = (span - future) / this.#perSecond;
    if (notes.length === 0) {
      this.#start = 0;
    } else if (still && view === heard) {
      const page = span / this.#perSecond - 5;
      this.#start = Math.floor(heard / page) * page - 0.5;
    } else {
      this.#start = view - past;
    }
  }

  #fitPitches({ notes, still }: RollFrame, first: number, last: number): boolean {
    let low = 127;
    let high = 0;
    for (let i = first; i < last; ++i) {
      if (notes.instrument[i] === DRUMS || notes.end[i]! < this.#start) continue;
      low = Math.min(low, notes.pitch[i]!);
      high = Math.max(high, notes.pitch[i]!);
    }
    if (low > high) return false;
    low -= 2;
    high += 3;
    const missing = FEWEST_PITCHES - (high - low);
    if (missing > 0) {
      low -= missing / 2;
      high += missing / 2;
    }
    // Grows at once enough to show every note, shrinks lazily.
    const wanted = { low: low < this.#low || low > this.#low + 7 ? low : this.#low, high: high > this.#high || high < this.#high - 7 ? high : this.#high };
    const ease = still ? 1 : 0.12;
    const step = (from: number, to: number) => (Math.abs(to - from) < 0.05 ? to : from + (to - from) * ease);
    const before = [this.#low, this.#high];
    this.#low = step(this.#low, wanted.low);
    this.#high = step(this.#high, wanted.high);
    return before[0] !== this.#low || before[1] !== this.#high;
  }

  #drawGround({ theme }: RollFrame): void {
    const c = this.#context;
    c.fillStyle = theme.background;
    // A canvas has whole pixels and may end a fraction beyond the page's.
    c.fillRect(0, 0, this.width + 1, this.height + 1);
    const row = this.#row();
    const drums = this.#drumTop();
    for (let pitch = Math.floor(this.#low); pitch <= this.#high; ++pitch) {
      const top = this.#y(pitch);
      if (top + row < RULER || top > drums) continue;
      const height = Math.min(row, drums - top);
      if (BLACK_KEYS.includes(pitch % 12)) {
        c.fillStyle = theme.blackRows;
        c.fillRect(GUTTER, top, this.width - GUTTER, height);
      }
      if (pitch % 12 === 0 && top + row < drums) {
        c.fillStyle = theme.octave;
        c.fillRect(GUTTER, Math.round(top + row), this.width - GUTTER, 1);
      }
    }
    c.fillStyle = theme.octave;
    c.fillRect(0, drums - 1, this.width, 1);
    c.fillStyle = theme.line;
    for (let second = Math.max(0, Math.ceil(this.#start)); second < this.#timeAt(this.width); ++second) {
      const x = this.#x(second);
      if (x > GUTTER) c.fillRect(Math.round(x), RULER, 1, this.height - RULER);
    }
  }

  /** Returns the colours of the keys that sound. */
  #drawNotes(frame: RollFrame, first: number, last: number): Map<number, string> {
    const { notes, heard, theme } = frame;
    const c = this.#context;
    c.save();
    c.beginPath();
    c.rect(GUTTER, RULER, this.width - GUTTER, this.height - RULER);
    c.clip();
    c.lineWidth = 1.25;
    const lit = new Map<number, string>();
    for (let i = first; i < last; ++i) {
      const end = notes.end[i]!;
      if (end < this.#start) continue;
      const onset = notes.onset[i]!;
      const instrument = notes.instrument[i]!;
      const { left, top, width, height } = this.#box(notes, i);
      const colour = frame.silent(instrument) ? theme.muted : frame.colour(instrument);
      const dim = frame.highlighted !== undefined && frame.highlighted !== instrument ? 0.35 : 1;
      const radius = Math.min(3, height / 2, width / 2);
      c.fillStyle = c.strokeStyle = colour;
      c.beginPath();
      if (onset > heard && height < 6) {
        // A line has no inside to leave empty.
        c.roundRect(left, top, width, height, radius);
        c.globalAlpha = 0.45 * dim;
        c.fill();
        continue;
      }
      if (onset > heard) {
        c.roundRect(left + 0.6, top + 0.6, Math.max(1, width - 1.2), Math.max(1, height - 1.2), radius);
        c.globalAlpha = 0.16 * dim;
        c.fill();
        c.globalAlpha = 0.85 * dim;
        c.stroke();
        continue;
      }
      const sounding = Math.max(end, onset + 0.1) > heard && !frame.silent(instrument);
      c.globalAlpha = (sounding ? 1 : 0.5 + (0.35 * notes.velocity[i]!) / 127) * dim;
      c.roundRect(left, top, width, height, radius);
      c.fill();
      if (sounding) {
        if (instrument !== DRUMS) lit.set(notes.pitch[i]!, colour);
        c.globalAlpha = 0.28 * dim;
        c.beginPath();
        c.roundRect(left - 3, top - 3, width + 6, height + 6, radius + 3);
        c.fill();
        // Lit from the moment it began up to now.
        c.fillStyle = theme.glow;
        c.globalAlpha = 0.38 * dim;
        c.beginPath();
        c.roundRect(left, top, Math.max(2, Math.min(width, this.#x(heard) - left)), height, radius);
        c.fill();
      }
    }
    c.globalAlpha = 1;
    c.restore();
    return lit;
  }

  #drawKeys({ theme }: RollFrame, lit: ReadonlyMap<number, string>): void {
    const c = this.#context;
    const row = this.#row();
    const drums = this.#drumTop();
    c.save();
    c.beginPath();
    c.rect(0, RULER, GUTTER, drums - 1 - RULER);
    c.clip();
    c.fillStyle = theme.whiteKeys;
    c.fillRect(0, RULER, GUTTER, drums - RULER);
    c.font = `500 ${Math.max(8.5, Math.min(10, row))}px system-ui, sans-serif`;
    c.textBaseline = 'middle';
    c.textAlign = 'right';
    for (let pitch = Math.floor(this.#low) - 1; pitch <= this.#high; ++pitch) {
      const top = this.#y(pitch);
      const black = BLACK_KEYS.includes(pitch % 12);
      const colour = lit.get(pitch);
      if (black) {
        c.fillStyle = theme.keyLines;
        c.fillRect(0, Math.round(top + row / 2), GUTTER, 1);
      } else if (colour === undefined && (pitch % 12 === 0 || pitch % 12 === 5)) {
        c.fillStyle = theme.keyLines;
        c.fillRect(0, Math.round(top + row), GUTTER, 1);
      }
      if (black || colour !== undefined) {
        c.fillStyle = colour ?? theme.blackKeys;
        c.fillRect(0, top, black ? GUTTER * BLACK_KEY_LENGTH : GUTTER, row);
      }
    }
    for (let pitch = 12 * Math.ceil(this.#low / 12); pitch <= this.#high; pitch += 12) {
      c.fillStyle = lit.has(pitch) ? theme.background : theme.text;
      c.fillText(`C${pitch / 12 - 1}`, GUTTER - 5, Math.min(this.#y(pitch) + row / 2, drums - 7));
    }
    c.restore();
    c.fillStyle = theme.background;
    c.fillRect(0, drums, GUTTER, this.height - drums);
    c.fillStyle = theme.octave;
    c.fillRect(GUTTER - 1, RULER, 1, this.height - RULER);
    c.fillStyle = theme.text;
    c.font = '500 9.5px system-ui, sans-serif';
    c.textBaseline = 'middle';
    c.textAlign = 'right';
    const drumRow = this.#drumRow();
    if (drumRow < NAMED_ROW) c.fillText('Drums', GUTTER - 6, (drums + this.height) / 2);
    else DRUM_ROWS.forEach((name, i) => c.fillText(name, GUTTER - 6, drums + 4 + (i + 0.5) * drumRow));
  }

  #drawFuture({ theme, writtenTo, promptEnd, notes }: RollFrame): void {
    const c = this.#context;
    const x = Math.max(GUTTER, this.#x(writtenTo));
    if (notes.length > 0 && x < this.width) {
      c.fillStyle = theme.unwritten;
      c.fillRect(x, RULER, this.width - x, this.height - RULER);
      c.fillStyle = theme.octave;
      for (let y = RULER + 2; y < this.height; y += 7) c.fillRect(Math.round(x), y, 1, 3);
    }
    const end = this.#x(promptEnd);
    if (promptEnd > 0 && end > GUTTER) {
      c.fillStyle = theme.prompt;
      c.fillRect(GUTTER, RULER, end - GUTTER, this.height - RULER);
      c.fillStyle = theme.text;
      c.textAlign = 'right';
      if (end > GUTTER + 50) c.fillText('prompt', end - 6, RULER + 12);
      c.fillRect(Math.round(end), RULER, 1, this.height - RULER);
    }
  }

  #drawRuler({ theme }: RollFrame): void {
    const c = this.#context;
    c.fillStyle = theme.background;
    c.fillRect(0, 0, this.width, RULER);
    c.fillStyle = theme.octave;
    c.fillRect(0, RULER - 1, this.width, 1);
    c.textAlign = 'left';
    c.font = '500 10.5px system-ui, sans-serif';
    const labelled = this.#perSecond > 70 ? 2 : 5;
    for (let second = Math.max(0, Math.ceil(this.#start)); second < this.#timeAt(this.width); ++second) {
      const x = Math.round(this.#x(second));
      if (x < GUTTER) continue;
      const tall = second % labelled === 0;
      c.fillStyle = theme.octave;
      c.fillRect(x, tall ? 6 : RULER - 6, 1, RULER - (tall ? 7 : 6));
      if (!tall || x > this.width - 30) continue;
      c.fillStyle = theme.text;
      c.fillText(`${Math.floor(second / 60)}:${String(second % 60).padStart(2, '0')}`, x + 5, 12);
    }
  }

  #drawSelection({ selection, theme }: RollFrame): void {
    if (selection === undefined) return;
    const c = this.#context;
    const left = Math.max(GUTTER, this.#x(selection.from));
    const right = Math.min(this.width, this.#x(selection.to));
    if (right <= left) return;
    c.fillStyle = theme.selected;
    c.fillRect(left, 0, right - left, this.height);
    c.fillStyle = theme.selectedEdge;
    c.fillRect(left, RULER - 3, right - left, 3);
    for (const time of [selection.from, selection.to]) {
      const x = this.#x(time);
      if (x >= GUTTER) c.fillRect(Math.round(x) - 0.5, 0, 1, this.height);
    }
  }

  #drawPlayhead({ theme }: RollFrame, x: number): void {
    if (x < GUTTER) return;
    const c = this.#context;
    c.fillStyle = theme.playhead;
    c.fillRect(Math.round(x) - 0.75, RULER - 6, 1.5, this.height - RULER + 6);
    c.beginPath();
    c.moveTo(x - 5, RULER - 9);
    c.lineTo(x + 5, RULER - 9);
    c.lineTo(x, RULER - 2);
    c.fill();
  }

  #box(notes: NoteStore, i: number): { left: number; top: number; width: number; height: number } {
    const left = this.#x(notes.onset[i]!);
    if (notes.instrument[i] === DRUMS) {
      const row = this.#drumRow();
      return { left, top: this.#drumTop() + 4 + drumPlace(notes.pitch[i]!) * row + 1, width: 7, height: row - 2 };
    }
    const row = this.#row();
    const width = Math.max(3, (notes.end[i]! - notes.onset[i]!) * this.#perSecond - 1);
    return { left, top: this.#y(notes.pitch[i]!) + 0.5, width, height: Math.max(3, row - 1) };
  }

  #drumTop(): number {
    return this.height - DRUM_ROWS.length * this.#drumRow() - 8;
  }
  #drumRow(): number {
    return Math.min(17, Math.max(10, this.height * 0.027));
  }
  #row(): number {
    return (this.#drumTop() - RULER) / (this.#high - this.#low);
  }
  #y(pitch: number): number {
    return RULER + (this.#high - pitch - 1) * this.#row();
  }
  #x(time: number): number {
    return GUTTER + (time - this.#start) * this.#perSecond;
  }
  #timeAt(x: number): number {
    return this.#start + (x - GUTTER) / this.#perSecond;
  }
}

function drumPlace(key: number): number {
  if (key <= 36) return 4;
  if (key <= 40) return 3;
  if (key === 42 || key === 44 || key === 46) return 1;
  if (key === 49 || key === 51 || key === 52 || key === 53 || key === 55 || key === 57 || key === 59) return 0;
  return 2;
}

// Renders tracks to sound files, in a worker and as fast as it can: the mix, and where stems are wanted each instrument by
// itself. One gain for all, so that the loudest reaches -1 dB and the stems add up to the mix.
import { SoundBankLoader, SpessaSynthProcessor, type BasicSoundBank } from 'spessasynth_core';
import { DRUMS, instrumentName } from '../music/general-midi.ts';
import type { Track } from './plan.ts';
import { encode, header, RATE } from './wav.ts';

export interface RenderRequest {
  font: ArrayBuffer;
  tracks: Track[];
  stems: boolean;
  name: string;
}
export type RenderAnswer = { progress: number } | { file: Blob; name: string } | { error: string };

const CEILING = 10 ** (-1 / 20);
/** Events act at the beginning of so many frames, as on the audio thread. */
const BLOCK = 128;
const DRUM_CHANNEL = 9;
const NOTE_OFF = 0x80;
const NOTE_ON = 0x90;
const CONTROL = 0xb0;
const PROGRAM = 0xc0;
const VOLUME = 7;
/** After the last note it ends with silence, or after so many seconds. */
const LONGEST_TAIL = 8;
const SILENCE = 10 ** (-80 / 20);

interface Take {
  /** A second each. */
  pieces: Blob[];
  frames: number;
  peak: number;
}

interface Message {
  time: number;
  bytes: number[];
  group: number;
}

export function serveRendering(): void {
  const post = (answer: RenderAnswer) => postMessage(answer);
  onmessage = ({ data }: MessageEvent<RenderRequest>) =>
    void render(data, (progress) => post({ progress })).then(
      ({ file, name }) => post({ file, name }),
      (error: unknown) => post({ error: error instanceof Error ? error.message : String(error) }),
    );
}

export async function render({ font, tracks, stems, name }: RenderRequest, onProgress: (done: number) => void): Promise<{ file: Blob; name: string }> {
  const bank = SoundBankLoader.fromArrayBuffer(font);
  const parts = [tracks, ...(stems ? tracks.map((track) => [track]) : [])];
  const takes: Take[] = [];
  for (const part of parts) takes.push(await play(bank, part, (done) => onProgress((takes.length + done) / parts.length)));
  const loudest = Math.max(...takes.map(({ peak }) => peak));
  if (loudest < SILENCE) throw new Error('it is silent');
  const gain = CEILING / loudest;
  const files: Blob[] = [];
  for (const take of takes) files.push(await wav(take, gain));
  if (!stems) return { file: files[0]!, name: `${name}.wav` };
  const called = ['Mix', ...tracks.map(({ instrument }) => instrumentName(instrument))];
  const entries = files.map((input, i) => ({ input, name: `${name}/${String(i).padStart(2, '0')} ${called[i]}.wav`, lastModified: new Date() }));
  // On the audio thread, where this script runs too, it would not even load.
  const { downloadZip } = await import('client-zip');
  return { file: await downloadZip(entries).blob(), name: `${name}.zip` };
}

async function play(bank: BasicSoundBank, tracks: Track[], onProgress: (done: number) => void): Promise<Take> {
  const synth = new SpessaSynthProcessor(RATE, { eventsEnabled: false, maxBufferSize: BLOCK });
  await synth.processorInitialized;
  synth.soundBankManager.addSoundBank(bank, 'general-midi');
  synth.setSystemParameter('autoAllocateVoices', true);
  const messages = messagesOf(tracks);
  const channels = 16 * (1 + Math.max(...messages.map(({ group }) => group)) / 16);
  while (synth.midiChannels.length < channels) synth.createMIDIChannel();
  synth.reset(); // channels are born mute, and as drums

  const end = messages.at(-1)!.time;
  const take: Take = { pieces: [], frames: 0, peak: 0 };
  for (let next = 0, quiet = false; !quiet; ) {
    const left = new Float32Array(RATE);
    const right = new Float32Array(RATE);
    for (let at = 0; at < RATE; at += BLOCK) {
      for (; next < messages.length && messages[next]!.time <= (take.frames + at) / RATE; ++next) {
        const { bytes, group } = messages[next]!;
        synth.processMessage(bytes, group);
      }
      synth.process(left, right, at, Math.min(BLOCK, RATE - at));
    }
    const peak = add(take, left, right);
    onProgress(Math.min(1, take.frames / RATE / (end + 1)));
    quiet = next === messages.length && (peak < SILENCE || take.frames / RATE > end + LONGEST_TAIL);
  }
  return take;
}

function add(take: Take, left: Float32Array, right: Float32Array): number {
  const both = new Float32Array(2 * left.length);
  let peak = 0;
  for (let i = 0; i < left.length; ++i) {
    both[2 * i] = left[i]!;
    both[2 * i + 1] = right[i]!;
    peak = Math.max(peak, Math.abs(left[i]!), Math.abs(right[i]!));
  }
  take.pieces.push(new Blob([both]));
  take.frames += left.length;
  take.peak = Math.max(take.peak, peak);
  return peak;
}

async function wav({ pieces, frames }: Take, gain: number): Promise<Blob> {
  const encoded: Blob[] = [];
  for (const piece of pieces) encoded.push(new Blob([encode(new Float32Array(await piece.arrayBuffer()), gain)]));
  return new Blob([header(frames), ...encoded], { type: 'audio/wav' });
}

/** Every instrument has a channel of its own, however many there are. */
function messagesOf(tracks: Track[]): Message[] {
  const setup: Message[] = [];
  const ons: Message[] = [];
  const offs: Message[] = [];
  let melodic = 0;
  for (const { instrument, volume, notes } of tracks) {
    const number = instrument === DRUMS ? DRUM_CHANNEL : melodic++;
    const [group, channel] = instrument === DRUMS ? [0, number] : [16 * Math.floor(number / 15), (number % 15) + (number % 15 >= DRUM_CHANNEL ? 1 : 0)];
    setup.push({ time: 0, group, bytes: [CONTROL | channel, VOLUME, volume] });
    if (instrument !== DRUMS) setup.push({ time: 0, group, bytes: [PROGRAM | channel, instrument] });
    for (const { start, end, key, velocity } of notes) {
      ons.push({ time: start, group, bytes: [NOTE_ON | channel, key, velocity] });
      offs.push({ time: end, group, bytes: [NOTE_OFF | channel, key, 0] });
    }
  }
  // The sort is stable: at the same time what ends comes before what begins.
  return [...setup, ...[...offs, ...ons].sort((one, other) => one.time - other.time)];
}

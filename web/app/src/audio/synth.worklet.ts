// The synthesizer, where it computes: on the audio thread, or in a worker that renders files. One script for both, so that
// it is fetched once. Read next: synth.ts (who sends to the audio thread), ../export/render.ts (what the worker does).
import { SoundBankLoader, SpessaSynthProcessor } from 'spessasynth_core';
import { serveRendering } from '../export/render.ts';

export type ToSynth =
  /** A MIDI message, to channel `group` + its own; at once, or at a time of the audio clock. */
  | { midi: number[]; group: number; time?: number }
  | { font: ArrayBuffer };
/** An answer to `font`: what is wrong with it, or nothing. */
export type FromSynth = { ready: true } | { error: string };

export interface SynthOptions {
  channels: number;
  voices: number;
}

/** The synthesizer keeps a voice for every key and velocity it has struck, for ever: after so many notes they are let go.
 * Made again they cost little; what is decoded stays. */
const NOTES_BETWEEN_CLEARING = 2000;
const NOTE_ON = 0x90;

if ('registerProcessor' in globalThis) {
  class SynthProcessor extends AudioWorkletProcessor {
    readonly #synth: SpessaSynthProcessor;
    readonly #channels: number;
    #notes = 0;

    constructor({ processorOptions: { channels, voices } }: { processorOptions: SynthOptions }) {
      super();
      this.#channels = channels;
      this.#synth = new SpessaSynthProcessor(sampleRate, { eventsEnabled: false, initialTime: currentTime });
      this.#synth.setSystemParameter('voiceCap', voices);
      this.port.onmessage = ({ data }: MessageEvent<ToSynth>) => {
        if ('font' in data) void this.#load(data.font).then((answer) => this.port.postMessage(answer));
        else this.#obey(data.midi, data.group, data.time ?? 0);
      };
    }

    #obey(midi: number[], group: number, time: number): void {
      this.#synth.processMessage(midi, group, { time });
      if ((midi[0]! & 0xf0) === NOTE_ON && ++this.#notes % NOTES_BETWEEN_CLEARING === 0) this.#synth.clearCache();
    }

    async #load(font: ArrayBuffer): Promise<FromSynth> {
      try {
        await this.#synth.processorInitialized;
        this.#synth.soundBankManager.addSoundBank(SoundBankLoader.fromArrayBuffer(font), 'general-midi');
        while (this.#synth.midiChannels.length < this.#channels) this.#synth.createMIDIChannel();
        this.#synth.reset(); // channels are born mute, and as drums
        return { ready: true };
      } catch (error) {
        return { error: String(error) };
      }
    }

    process(_inputs: Float32Array[][], [[left, right]]: [[Float32Array, Float32Array]]): boolean {
      this.#synth.process(left, right);
      return true;
    }
  }
  registerProcessor('synth', SynthProcessor);
} else {
  serveRendering();
}

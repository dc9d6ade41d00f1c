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

if ('registerProcessor' in globalThis) {
  class SynthProcessor extends AudioWorkletProcessor {
    readonly #synth: SpessaSynthProcessor;
    readonly #channels: number;

    constructor({ processorOptions: { channels, voices } }: { processorOptions: SynthOptions }) {
      super();
      this.#channels = channels;
      this.#synth = new SpessaSynthProcessor(sampleRate, { eventsEnabled: false, initialTime: currentTime });
      this.#synth.setSystemParameter('voiceCap', voices);
      this.port.onmessage = ({ data }: MessageEvent<ToSynth>) => {
        if ('font' in data) void this.#load(data.font).then((answer) => this.port.postMessage(answer));
        else this.#synth.processMessage(data.midi, data.group, { time: data.time ?? 0 });
      };
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

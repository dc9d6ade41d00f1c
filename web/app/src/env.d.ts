/// <reference types="svelte" />
/// <reference types="vite/client" />

declare const __MODEL_SHA256__: string;
declare const __MODEL_BYTES__: number;
declare const __FONT_SHA256__: string;
declare const __FONT_BYTES__: number;

// Of an AudioWorkletGlobalScope, which TypeScript's library does not know.
declare const sampleRate: number;
declare const currentTime: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new (options: never) => AudioWorkletProcessor): void;

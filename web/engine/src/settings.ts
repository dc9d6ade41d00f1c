import type { Settings } from './types.ts';

export const DEFAULT_SETTINGS: Settings = {
  seed: 0,
  ensemble: [],
  temperature: 1,
  topP: 0.98,
  minP: 0,
  topK: 0,
  density: 0,
  densityUnit: 'events',
  frequencyPenalty: 0,
  instrumentCap: 0,
  polyphony: 0,
  pace: 0,
  scale: 0xfff,
  recover: true,
  pitchRanges: [],
  processor: null,
};

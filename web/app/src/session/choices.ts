// What the listener chooses about the music, and what holds until then.
import type { Settings } from 'midinfinite';

export type Choices = Pick<Settings, 'seed' | 'ensemble' | 'temperature' | 'topP' | 'density' | 'frequencyPenalty' | 'polyphony' | 'pace' | 'scale'>;

export const DEFAULT_CHOICES: Omit<Choices, 'seed'> = {
  ensemble: [],
  temperature: 1,
  topP: 0.98,
  density: 0.2, // without any, this model leaves a band to its drums
  frequencyPenalty: 0,
  polyphony: 16, // a crowd of notes at one instant is noise, and takes longer to write than to hear
  pace: 40, // what one thread in a browser writes well ahead of the player, and what ears can follow
  scale: 0xfff,
};

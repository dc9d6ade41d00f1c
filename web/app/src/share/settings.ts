// The settings that a link carries, as strict as it gets: a value that the app would not have written makes the link bad.
import { DRUMS } from '../music/general-midi.ts';

export interface SharedSettings {
  seed: number;
  ensemble: number[];
  temperature: number;
  topP: number;
  density: number;
  frequencyPenalty: number;
  polyphony: number;
  pace: number;
  scale: number;
  speed: number;
  transpose: number;
}

type Check = (value: unknown) => boolean;
const between = (lowest: number, highest: number): Check => (value) => typeof value === 'number' && value >= lowest && value <= highest;
const whole = (lowest: number, highest: number): Check => (value) => Number.isInteger(value) && between(lowest, highest)(value);

const CHECKS: Record<keyof SharedSettings, Check> = {
  seed: whole(0, Number.MAX_SAFE_INTEGER),
  ensemble: (value) => Array.isArray(value) && value.length <= DRUMS + 1 && new Set(value).size === value.length && value.every(whole(0, DRUMS)),
  temperature: between(0, 10),
  topP: between(0, 1),
  density: between(0, 3),
  frequencyPenalty: between(-2, 2),
  polyphony: whole(0, 128),
  pace: whole(0, 128),
  scale: whole(1, 0xfff),
  speed: between(0.25, 4),
  transpose: whole(-24, 24),
};

/** undefined: it is none. */
export function readSettings(value: unknown): SharedSettings | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const given = new Map(Object.entries(value));
  const names = Object.keys(CHECKS) as (keyof SharedSettings)[];
  if (given.size !== names.length || !names.every((name) => given.has(name) && CHECKS[name](given.get(name)))) return undefined;
  return value as SharedSettings;
}

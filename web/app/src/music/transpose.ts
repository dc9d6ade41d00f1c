import { DRUMS } from './general-midi.ts';

/** The key that sounds: drums stay what they are, the others stay on the keyboard. */
export function transposed(semitones: number, instrument: number, pitch: number): number {
  if (instrument === DRUMS) return pitch;
  let key = pitch + semitones;
  while (key > 127) key -= 12;
  while (key < 0) key += 12;
  return key;
}

// The computer's keys as a piano, as in most music programs: A is C, the row above has the black keys. Keys are told by
// their place, so that it fits every layout.

const SEMITONES: Record<string, number> = {
  KeyA: 0, KeyW: 1, KeyS: 2, KeyE: 3, KeyD: 4, KeyF: 5, KeyT: 6, KeyG: 7, KeyY: 8, KeyH: 9, KeyU: 10, KeyJ: 11, KeyK: 12, KeyO: 13,
  KeyL: 14, KeyP: 15, Semicolon: 16,
};

export type Typed = { semitone: number } | { octave: number } | { velocity: number } | { record: true };

/** What a key means while typing plays; undefined: nothing. */
export function typed(code: string): Typed | undefined {
  const semitone = SEMITONES[code];
  if (semitone !== undefined) return { semitone };
  switch (code) {
    case 'KeyZ':
      return { octave: -1 };
    case 'KeyX':
      return { octave: 1 };
    case 'KeyC':
      return { velocity: -1 };
    case 'KeyV':
      return { velocity: 1 };
    case 'KeyR':
      return { record: true };
    default:
      return undefined;
  }
}

/** The letter that plays this many semitones above the octave's C, as an American keyboard has it. */
export function letter(semitone: number): string {
  const code = Object.keys(SEMITONES).find((one) => SEMITONES[one] === semitone);
  return code === undefined ? '' : code === 'Semicolon' ? ';' : code.slice(3);
}

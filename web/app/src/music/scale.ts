// The key lock: a root and a mode as the engine's bit mask of pitch classes.

export const ROOTS = ['C', 'C♯ / D♭', 'D', 'E♭', 'E', 'F', 'F♯ / G♭', 'G', 'A♭', 'A', 'B♭', 'B'];

export const MODES = [
  { name: 'Major', steps: [0, 2, 4, 5, 7, 9, 11] },
  { name: 'Minor', steps: [0, 2, 3, 5, 7, 8, 10] },
  { name: 'Harmonic minor', steps: [0, 2, 3, 5, 7, 8, 11] },
  { name: 'Dorian', steps: [0, 2, 3, 5, 7, 9, 10] },
  { name: 'Phrygian', steps: [0, 1, 3, 5, 7, 8, 10] },
  { name: 'Lydian', steps: [0, 2, 4, 6, 7, 9, 11] },
  { name: 'Mixolydian', steps: [0, 2, 4, 5, 7, 9, 10] },
  { name: 'Major pentatonic', steps: [0, 2, 4, 7, 9] },
  { name: 'Minor pentatonic', steps: [0, 3, 5, 7, 10] },
  { name: 'Blues', steps: [0, 3, 5, 6, 7, 10] },
  { name: 'Whole tone', steps: [0, 2, 4, 6, 8, 10] },
] as const;

/** Every pitch class. */
export const NO_LOCK = 0xfff;

export function scaleMask(root: number, steps: readonly number[]): number {
  return steps.reduce((mask, step) => mask | (1 << ((root + step) % 12)), 0);
}

/** The first root and mode that have this mask; none for no lock, or a mask of another make. */
export function findScale(mask: number, preferred?: { root: number; mode: number }): { root: number; mode: number } | undefined {
  // Relative keys share a mask: what was chosen wins over what is found first.
  if (preferred !== undefined && scaleMask(preferred.root, MODES[preferred.mode]!.steps) === mask) return preferred;
  for (let mode = 0; mode < MODES.length; ++mode) {
    for (let root = 0; root < 12; ++root) {
      if (scaleMask(root, MODES[mode]!.steps) === mask) return { root, mode };
    }
  }
  return undefined;
}

// A processor, as a program would write one: no instrument with pitches plays a C sharp.
import type { Processor } from '../src/index.ts';

const NOTES = 11_000;
const PITCHED = 128 * 128;

export default {
  narrow({ slot }, ids, forbid) {
    if (slot !== 'note') return;
    ids.forEach((id, i) => {
      const note = id - NOTES;
      if (note < PITCHED && (note % 128) % 12 === 1) forbid[i] = 1;
    });
  },
} satisfies Processor;

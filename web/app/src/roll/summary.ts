// The roll in a sentence, for those who do not see it.
import { instrumentName, pitchName, DRUMS } from '../music/general-midi.ts';
import type { NoteStore } from '../music/note-store.ts';

export function summarise(notes: NoteStore, position: number, playing: boolean): string {
  if (notes.length === 0) return 'No music yet.';
  const from = notes.firstAt(position - 10);
  const to = notes.firstAt(position);
  const counts = new Map<number, number>();
  let low = 127;
  let high = 0;
  for (let i = from; i < to; ++i) {
    const instrument = notes.instrument[i]!;
    counts.set(instrument, (counts.get(instrument) ?? 0) + 1);
    if (instrument === DRUMS) continue;
    low = Math.min(low, notes.pitch[i]!);
    high = Math.max(high, notes.pitch[i]!);
  }
  const state = playing ? 'Playing' : 'Paused';
  const time = `${Math.floor(position / 60)} minutes ${Math.floor(position % 60)} seconds`;
  if (to === from) return `${state} at ${time}; silence.`;
  const names = [...counts].sort((a, b) => b[1] - a[1]).map(([instrument]) => instrumentName(instrument).toLowerCase());
  const range = low <= high ? `, from ${pitchName(low)} to ${pitchName(high)}` : '';
  return `${state} at ${time}: ${names.join(', ')}; ${to - from} notes in the last 10 seconds${range}.`;
}

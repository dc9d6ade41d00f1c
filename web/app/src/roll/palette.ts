// Colours of the roll, in two themes. Instruments take theirs in the order in which they first play, so that those
// heard together differ; neighbours differ in lightness too, for eyes that confuse hues.
import { DRUMS } from '../music/general-midi.ts';

export interface RollTheme {
  background: string;
  /** Of the picture, and of the keyboard beside it. */
  blackRows: string;
  whiteKeys: string;
  blackKeys: string;
  keyLines: string;
  line: string;
  octave: string;
  text: string;
  playhead: string;
  unwritten: string;
  prompt: string;
  selected: string;
  selectedEdge: string;
  muted: string;
  glow: string;
  notes: string[];
  drums: string;
}

export const DARK: RollTheme = {
  background: '#0d0f14',
  blackRows: '#090b0f',
  whiteKeys: '#2b323e',
  blackKeys: '#0f1217',
  keyLines: '#12151b',
  line: '#1a1e27',
  octave: '#262c38',
  text: '#9aa5b6',
  playhead: '#f4f6fa',
  unwritten: '#0008',
  prompt: '#ffffff0a',
  selected: '#f5b14c22',
  selectedEdge: '#f5b14c',
  muted: '#3a414e',
  glow: '#ffffff',
  notes: ['#5ab4f0', '#f2a93b', '#34c79a', '#f47f8f', '#c9a5f7', '#e8dc5a', '#4f86f7', '#e0653a', '#9ad46b', '#e58fd0', '#58d3d8', '#bfa27a'],
  drums: '#a9b4c4',
};

export const LIGHT: RollTheme = {
  background: '#ffffff',
  blackRows: '#f3f5f9',
  whiteKeys: '#ffffff',
  blackKeys: '#4a5361',
  keyLines: '#c9d0db',
  line: '#edeff4',
  octave: '#d8dde6',
  text: '#5a6474',
  playhead: '#14181f',
  unwritten: '#e9ecf2b0',
  prompt: '#0b5fff0d',
  selected: '#f5b14c33',
  selectedEdge: '#985000',
  muted: '#d4d9e1',
  glow: '#0b1220',
  notes: ['#0f78c4', '#c46f00', '#0a8a63', '#cf3f5c', '#8354c9', '#94830a', '#2f55d4', '#b8431a', '#4f8a1b', '#b4439b', '#0a8792', '#806237'],
  drums: '#5b6675',
};

export function instrumentColour(theme: RollTheme, order: readonly number[], instrument: number): string {
  if (instrument === DRUMS) return theme.drums;
  const place = order.filter((one) => one !== DRUMS).indexOf(instrument);
  return theme.notes[Math.max(0, place) % theme.notes.length]!;
}

import { beforeEach, expect, test } from 'vitest';
import { DRUMS } from '../music/general-midi.ts';
import { MidiOut } from './midi-out.ts';

let sent: { data: number[]; time: number }[];
let out: MidiOut;
let silent: Set<number>;
let broken: boolean;
const port = {
  send: (data: number[], time: number) => {
    if (broken) throw new Error('InvalidStateError');
    sent.push({ data, time });
  },
} as unknown as MIDIOutput;
const bytes = () => sent.map(({ data }) => data);

beforeEach(() => {
  sent = [];
  silent = new Set();
  broken = false;
  out = new MidiOut((audio) => 1000 * audio + 5, (instrument) => !silent.has(instrument));
});

test('each instrument has its channel and program, drums channel 10, and times are those of the page', () => {
  out.use(port, undefined, 0);
  out.assign(3, 40, 1);
  out.noteOn(3, 60, 90, 1);
  out.noteOn(9, 36, 80, 1.5);
  out.noteOff(3, 60, 2);
  expect(sent).toEqual([
    { data: [0xc3, 40], time: 1005 },
    { data: [0x93, 60, 90], time: 1005 },
    { data: [0x99, 36, 80], time: 1505 },
    { data: [0x83, 60, 0], time: 2005 },
  ]);
});

test('a port chosen later learns the programs', () => {
  out.assign(3, 40, 1);
  out.assign(9, DRUMS, 1);
  out.use(port, undefined, 2);
  expect(bytes()).toEqual([[0xc3, 40]]);
});

test('all on one channel: no programs, and a key that two instruments hold ends with the last', () => {
  out.use(port, 4, 0);
  out.assign(0, 1, 0);
  out.assign(1, 2, 0);
  out.noteOn(0, 60, 90, 1);
  out.noteOn(1, 60, 70, 2);
  out.noteOff(0, 60, 3);
  out.noteOff(1, 60, 4);
  expect(bytes()).toEqual([[0x94, 60, 90], [0x84, 60, 0], [0x94, 60, 70], [0x84, 60, 0]]);
  expect(sent.at(-1)!.time).toBe(4005);
});

test('what is muted is not sent', () => {
  out.use(port, undefined, 0);
  out.assign(0, 7, 0);
  silent.add(7);
  out.noteOn(0, 60, 90, 1);
  out.noteOff(0, 60, 2);
  expect(bytes()).toEqual([[0xc0, 7]]);
});

test('where the clocks drift, the end of a note never overtakes its beginning', () => {
  let drift = 0;
  out = new MidiOut((audio) => 1000 * audio - drift, () => true);
  out.use(port, undefined, 0);
  out.noteOn(9, 36, 80, 1);
  drift = 40;
  out.noteOff(9, 36, 1.01);
  expect(sent.map(({ time }) => time)).toEqual([1000, 1000]);
});

test('silence and another port end what sounds, now and after what was sent ahead', () => {
  out.use(port, undefined, 0);
  out.noteOn(9, 36, 80, 1);
  sent = [];
  out.silence(1, 1.1);
  const off = [[0x89, 36, 0], [0xb9, 123, 0]];
  expect(bytes()).toEqual([...off, ...off]);
  expect(sent.map(({ time }) => time)).toEqual([1005, 1005, 1105, 1105]);
  out.noteOn(9, 38, 80, 2);
  sent = [];
  out.use(undefined, undefined, 2.5);
  expect(bytes()).toEqual([[0x89, 38, 0], [0xb9, 123, 0]]);
});

test('a port that is gone stops nothing', () => {
  out.use(port, undefined, 0);
  broken = true;
  out.noteOn(9, 36, 80, 1);
  broken = false;
  out.noteOn(9, 36, 80, 2);
  expect(sent).toEqual([]);
});

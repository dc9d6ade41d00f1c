import { expect, test } from 'vitest';
import { fromZero, Recorder } from './recorder.ts';

const times = (recorder: Recorder, now: number) => recorder.notes(now).map(({ pitch, onset, duration }) => [pitch, onset, expect.closeTo(duration)]);

test('notes last from their strike to their release, and what is down ends with the recording', () => {
  const recorder = new Recorder();
  recorder.strike(0, 60, 90, 10);
  recorder.strike(0, 64, 90, 10.5);
  recorder.lift(60, 11);
  expect(recorder.length).toBe(2);
  expect(times(recorder, 12)).toEqual([[60, 10, 1], [64, 10.5, 1.5]]);
});

test('the pedal holds what was let go, and a key struck again begins a new note', () => {
  const recorder = new Recorder();
  recorder.pedal(true, 0);
  recorder.strike(0, 60, 90, 1);
  recorder.lift(60, 1.2);
  recorder.strike(0, 60, 70, 2);
  recorder.lift(60, 2.1);
  recorder.pedal(false, 4);
  expect(times(recorder, 9)).toEqual([[60, 1, 1], [60, 2, 2]]);
});

test('no note is shorter or longer than the model knows', () => {
  const recorder = new Recorder();
  recorder.strike(0, 60, 90, 0);
  recorder.lift(60, 0.001);
  recorder.strike(0, 61, 90, 0);
  expect(times(recorder, 100)).toEqual([[60, 0, 0.03], [61, 0, 9.99]]);
});

test('what was played begins at zero', () => {
  const recorder = new Recorder();
  recorder.strike(0, 60, 90, 7);
  recorder.strike(0, 62, 90, 7.5);
  expect(fromZero(recorder.notes(8)).map((note) => note.onset)).toEqual([0, 0.5]);
});

import { beforeEach, expect, test } from 'vitest';
import type { Note } from 'midinfinite';
import { NoteStore } from '../music/note-store.ts';
import { Scheduler, type Sink } from './scheduler.ts';

interface Message {
  what: 'on' | 'off';
  key: number;
  time: number;
}

let store: NoteStore;
let messages: Message[];
let silences: number[];
let scheduler: Scheduler;

beforeEach(() => {
  store = new NoteStore();
  messages = [];
  silences = [];
  const sink: Sink = {
    noteOn: (_channel, key, _velocity, time) => messages.push({ what: 'on', key, time }),
    noteOff: (_channel, key, time) => messages.push({ what: 'off', key, time }),
    assign: () => {},
    silence: (now, last) => {
      silences.push(now);
      return Math.max(now, last) + 0.02;
    },
  };
  scheduler = new Scheduler(store, sink);
});

function note(event: number, onset: number, duration: number, pitch: number): Note {
  return { event, onset, duration, instrument: 0, pitch, velocity: 80 };
}
function give(from: number, generatedTo: number, now: number, ...notes: Note[]): void {
  store.apply({ from, notes });
  scheduler.replaced(from, generatedTo, now);
}
function run(from: number, to: number): void {
  for (let now = from; now < to; now += 0.025) scheduler.tick(now);
}
const ons = () => messages.filter((m) => m.what === 'on');

test('hands notes over ahead of their time, each once, and ends each', () => {
  give(0, 4, 0, note(0, 0, 0.5, 60), note(1, 1, 0.5, 62));
  scheduler.play();
  scheduler.tick(10);
  expect(ons()).toEqual([{ what: 'on', key: 60, time: 10.02 }]);
  run(10.025, 10.9);
  expect(ons()).toHaveLength(1);
  run(10.9, 12);
  expect(ons()[1]!.time).toBeCloseTo(11.02);
  expect(messages.filter((m) => m.what === 'off').map((m) => m.time)).toEqual([10.52, 11.52].map((t) => expect.closeTo(t)));
});

test('a note replaced before it was handed over never sounds', () => {
  give(0, 4, 0, note(0, 0, 0.5, 60), note(1, 1, 0.5, 62));
  scheduler.play();
  run(0, 0.5);
  give(1, 4, 0.5, note(1, 1, 0.5, 70));
  run(0.5, 2);
  expect(ons().map((m) => m.key)).toEqual([60, 70]);
  expect(silences).toEqual([]);
});

test('a note replaced after it was handed over and before it sounds is silenced', () => {
  give(0, 4, 0, note(0, 0, 0.2, 60), note(1, 1, 0.5, 62));
  scheduler.play();
  run(0, 0.96);
  expect(ons().map((m) => m.key)).toEqual([60, 62]);
  give(1, 4, 0.96, note(1, 1, 0.5, 70));
  expect(silences).toEqual([0.96]);
  run(0.96, 2);
  expect(ons().map((m) => m.key)).toEqual([60, 62, 70]);
});

test('what stays when a note is silenced before it sounds goes on at once, however little that is', () => {
  give(0, 1, 0, note(0, 0, 5, 60), note(1, 0.5, 0.2, 64));
  scheduler.play();
  run(0, 0.45);
  give(1, 0.5, 0.45);
  run(0.45, 2);
  expect(ons().map((m) => m.key)).toEqual([60, 64, 60]);
  expect(ons()[2]!.time).toBeLessThan(0.6);
});

test('a sounding note that is replaced ends at once', () => {
  give(0, 8, 0, note(0, 0, 6, 60));
  scheduler.play();
  run(0, 1);
  give(0, 8, 1);
  expect(messages.at(-1)).toEqual({ what: 'off', key: 60, time: 1 });
});

test('a key struck again is let go first, and the earlier end does not cut the later note', () => {
  give(0, 8, 0, note(0, 0, 3, 60), note(1, 1, 3, 60));
  scheduler.play();
  run(0, 5);
  expect(messages.map((m) => m.what)).toEqual(['on', 'off', 'on', 'off']);
  expect(messages[1]!.time).toBeCloseTo(1.02);
  expect(messages[3]!.time).toBeCloseTo(4.02);
});

test('running dry holds what sounds, is counted once, holds the clock and loses nothing', () => {
  give(0, 1, 0, note(0, 0, 5, 60));
  scheduler.play();
  run(0, 2.5);
  expect(scheduler.underruns).toBe(1);
  expect(scheduler.position(2.5)).toBe(1);
  give(1, 4, 2.5, note(1, 1.1, 0.5, 64));
  run(2.5, 4);
  expect(scheduler.underruns).toBe(1);
  expect(messages.slice(0, 2).map(({ what, key }) => what + key)).toEqual(['on60', 'on64']);
  give(2, 9, 4);
  run(4, 8);
  expect(messages.find((m) => m.what === 'off' && m.key === 60)!.time).toBeCloseTo(6.52, 1); // 1.5 s later than without
});

test('what sounds when it runs dry is not held for ever, nor struck again', () => {
  give(0, 1, 0, note(0, 0, 5, 60));
  scheduler.play();
  run(0, 4);
  expect(messages.map((m) => m.what)).toEqual(['on', 'off']);
  expect(messages[1]!.time).toBeCloseTo(3, 0);
  give(1, 4, 4, note(1, 1.1, 0.5, 64));
  run(4, 5);
  expect(ons().map((m) => m.key)).toEqual([60, 64]);
});

test('a note whose key another one took is not struck again when it goes on', () => {
  give(0, 1, 0, note(0, 0, 5, 60), note(1, 0.5, 0.2, 60));
  scheduler.play();
  run(0, 2);
  give(2, 4, 2, note(2, 1.1, 0.5, 64));
  run(2, 3);
  expect(ons().map((m) => m.key)).toEqual([60, 60, 64]);
});

test('what it must not begin yet holds no note longer', () => {
  give(0, 1, 0, note(0, 0, 5, 60));
  scheduler.play();
  run(0, 1.5);
  give(1, 4, 1.5, note(1, 1.1, 0.5, 64));
  for (let now = 1.5; now < 4; now += 0.025) scheduler.tick(now, false);
  expect(messages.map((m) => m.what)).toEqual(['on', 'off']);
  scheduler.tick(4);
  expect(scheduler.state).toBe('playing');
});

test('a long note that replaces a held one is struck when it goes on', () => {
  give(0, 1, 0, note(0, 0, 5, 60));
  scheduler.play();
  run(0, 1.5);
  give(0, 4, 1.5, note(0, 0, 5, 67));
  run(1.5, 2);
  expect(messages.map(({ what, key }) => what + key)).toEqual(['on60', 'off60', 'on67']);
});

test('a pause while it has run dry ends what was held, and play strikes it again', () => {
  give(0, 1, 0, note(0, 0, 5, 60));
  scheduler.play();
  run(0, 1.5);
  scheduler.pause(1.5);
  expect(silences).toEqual([1.5]);
  scheduler.play();
  give(1, 4, 2, note(1, 1.1, 0.5, 64));
  run(2, 3);
  expect(ons().map((m) => m.key)).toEqual([60, 60, 64]);
});

test('waiting for the first music is no underrun', () => {
  scheduler.play();
  run(0, 2);
  expect(scheduler.underruns).toBe(0);
});

test('pause leaves nothing sounding and play strikes long notes again', () => {
  give(0, 8, 0, note(0, 0, 4, 60));
  scheduler.play();
  run(0, 1);
  scheduler.pause(1);
  expect(silences).toEqual([1]);
  run(1, 2);
  expect(ons()).toHaveLength(1);
  expect(scheduler.position(2)).toBeCloseTo(0.98);
  scheduler.play();
  run(2, 2.1);
  expect(ons()).toHaveLength(2);
});

test('at any speed no more music is handed over than what can no longer change', () => {
  for (const speed of [0.25, 1, 4]) {
    scheduler.seek(0, 0);
    scheduler.setSpeed(speed, 0);
    scheduler.play();
    give(0, 20, 0);
    run(0, 1);
    expect(scheduler.frontier - scheduler.position(1)).toBeLessThanOrEqual(0.2 + 1e-9);
    scheduler.pause(1);
  }
});

test('transpose acts on the next note, and ends are of the key that was struck', () => {
  give(0, 8, 0, note(0, 0, 2, 60), note(1, 1, 0.5, 61));
  scheduler.play();
  run(0, 0.5);
  scheduler.setTranspose(2);
  run(0.5, 3);
  expect(messages.map((m) => [m.what, m.key])).toEqual([['on', 60], ['on', 63], ['off', 63], ['off', 60]]);
});

test('what must be there before it begins, or goes on, plays as long at any speed', () => {
  for (const speed of [0.25, 1, 4]) {
    scheduler.seek(0, 0);
    scheduler.setSpeed(speed, 0);
    scheduler.play();
    give(0, 0.19 * speed, 0);
    scheduler.tick(0);
    expect(scheduler.state).toBe('waiting');
    give(0, 0.21 * speed, 0);
    scheduler.tick(0);
    expect(scheduler.state).toBe('playing');
    run(0.025, 1);
    expect(scheduler.state).toBe('waiting');
    give(0, (0.21 + 0.7) * speed, 1);
    scheduler.tick(1);
    expect(scheduler.state).toBe('waiting');
    give(0, (0.21 + 0.8) * speed, 1);
    scheduler.tick(1);
    expect(scheduler.state).toBe('playing');
    scheduler.pause(1);
  }
});

import { expect, test } from 'vitest';
import { bytesOf, encode, header, LONGEST_SECONDS, RATE } from './wav.ts';

test('samples are 24-bit little-endian and never wrap', () => {
  expect([...encode(Float32Array.of(0, 1, -1, 3, -3), 1)]).toEqual([0, 0, 0, 255, 255, 127, 1, 0, 128, 255, 255, 127, 1, 0, 128]);
  expect([...encode(Float32Array.of(1), 0.5)]).toEqual([0, 0, 64]);
});

test('the header says what follows', () => {
  const view = new DataView(header(10).buffer);
  expect([view.getUint32(4, true), view.getUint16(22, true), view.getUint32(24, true), view.getUint16(34, true), view.getUint32(40, true)]).toEqual([96, 2, 44100, 24, 60]);
});

test('the longest and what sounds on after it fit into the sizes', () => {
  const seconds = LONGEST_SECONDS + 60;
  const view = new DataView(header(seconds * RATE).buffer);
  expect(view.getUint32(4, true) + 8).toBe(bytesOf(seconds));
  expect(view.getUint32(40, true) + 44).toBe(bytesOf(seconds));
});

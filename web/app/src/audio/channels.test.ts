import { expect, test } from 'vitest';
import { DRUMS } from '../music/general-midi.ts';
import { Channels, DRUM_CHANNEL } from './channels.ts';

const idle = () => 0;

test('drums keep channel 9 and fifteen others get one each', () => {
  const channels = new Channels();
  expect(channels.lease(DRUMS, 0, idle)).toEqual({ channel: DRUM_CHANNEL, fresh: false, stolen: false });
  const leased = new Set(Array.from({ length: 15 }, (_, i) => channels.lease(i, i, idle).channel));
  expect(leased.size).toBe(15);
  expect(leased.has(DRUM_CHANNEL)).toBe(false);
});

test('a sixteenth instrument gets the channel that has been idle longest, not one that sounds', () => {
  const channels = new Channels();
  for (let i = 0; i < 15; ++i) channels.lease(i, i, idle);
  const first = channels.channelOf(0)!;
  const second = channels.channelOf(1)!;
  const lease = channels.lease(40, 20, (channel) => (channel === first ? 1 : 0));
  expect(lease).toEqual({ channel: second, fresh: true, stolen: false });
  expect(channels.channelOf(1)).toBeUndefined();
});

test('when all sound, the one unused longest is taken and said to be stolen', () => {
  const channels = new Channels();
  for (let i = 0; i < 15; ++i) channels.lease(i, i, idle);
  const first = channels.channelOf(0)!;
  expect(channels.lease(40, 20, () => 1)).toEqual({ channel: first, fresh: true, stolen: true });
});

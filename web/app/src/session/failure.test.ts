import { expect, test } from 'vitest';
import { describeFailure } from './failure.ts';

test('what to do is said once, in the page\'s words', () => {
  const cut = { code: 'i/o', message: 'the download ended early: try again, it goes on where it stopped' };
  expect(describeFailure(cut, 'The model could not be loaded')).toEqual({
    what: 'The model could not be loaded: the download ended early',
    advice: 'Check the connection, then try again: the download goes on where it stopped.',
  });
});

test('what to do may differ from what is usual', () => {
  const newer = { code: 'unsupported', message: 'it was written by a newer version of midinfinite; update to open it' };
  expect(describeFailure(newer, 'The music could not begin', { unsupported: 'Reload the page.' }).advice).toBe('Reload the page.');
  expect(describeFailure(newer, 'Loading failed', {}).advice).toMatch(/current Chrome or Firefox/);
});

test('what is no advice stays, and errors without a code get a line too', () => {
  expect(describeFailure({ code: 'corrupt', message: 'cut.gguf: the tensor ends at 7: beyond the file' }, 'Not used').what)
    .toBe('Not used: cut.gguf: the tensor ends at 7: beyond the file');
  expect(describeFailure(new Error('odd'), 'It stopped')).toEqual({ what: 'It stopped: odd', advice: 'Try again; if it stays, reload the page.' });
});

import { expect, test } from 'vitest';
import { describeFailure } from './failure.ts';

test('what to do is said once, in the page\'s words', () => {
  const cut = { code: 'i/o', message: 'the download ended early: try again, it goes on where it stopped' };
  expect(describeFailure(cut, 'The model could not be loaded')).toEqual({
    what: 'The model could not be loaded: the download ended early',
    advice: 'Check the connection, then try again: the download goes on where it stopped.',
  });
});

test('what is no advice stays, and errors without a code get a line too', () => {
  expect(describeFailure({ code: 'corrupt', message: 'cut.gguf: the tensor ends at 7: beyond the file' }, 'Not used').what)
    .toBe('Not used: cut.gguf: the tensor ends at 7: beyond the file');
  expect(describeFailure(new Error('odd'), 'It stopped')).toEqual({ what: 'It stopped: odd', advice: 'Try again; if it stays, reload the page.' });
});

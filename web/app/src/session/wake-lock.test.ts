import { beforeEach, expect, test, vi } from 'vitest';

class Lock {
  released = false;
  async release(): Promise<void> {
    this.released = true;
  }
}
let locks: Lock[];
let hidden: boolean;
let page: EventTarget;
let keepAwake: (on: boolean) => void;

beforeEach(async () => {
  locks = [];
  hidden = false;
  page = Object.defineProperty(new EventTarget(), 'hidden', { get: () => hidden });
  vi.stubGlobal('document', page);
  vi.stubGlobal('navigator', {
    wakeLock: {
      request: async () => {
        await settled();
        const lock = new Lock();
        locks.push(lock);
        return lock;
      },
    },
  });
  vi.resetModules();
  ({ keepAwake } = await import('./wake-lock.ts'));
});

const settled = () => new Promise((done) => setTimeout(done, 5));
const held = () => locks.filter((lock) => !lock.released).length;

test('a pause while the screen is being asked for lets it go', async () => {
  keepAwake(true);
  keepAwake(false);
  await vi.waitFor(() => expect([locks.length, held()]).toEqual([1, 0]));
});

test('it is asked for once, however often that is wished', async () => {
  for (const on of [true, false, true, true]) keepAwake(on);
  await settled();
  await settled();
  expect([locks.length, held()]).toEqual([1, 1]);
});

test('a page that comes back asks again while music plays', async () => {
  keepAwake(true);
  await vi.waitFor(() => expect(held()).toBe(1));
  hidden = true;
  await locks[0]!.release(); // as the browser does
  page.dispatchEvent(new Event('visibilitychange'));
  hidden = false;
  page.dispatchEvent(new Event('visibilitychange'));
  await vi.waitFor(() => expect([locks.length, held()]).toEqual([2, 1]));
});

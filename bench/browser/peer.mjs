// What the peers share. A peer's module loads it: load(given) → {name, logits(ids), decode()}, given as compare-browser sends
// it; logits(ids) are those after the last of them, decode() is ids a second, {best, median} of a few repeats.

export const BEFORE = 487, IDS = 48, CHECKED_ALONE = 8; // as in bench/peers/peer.py
const REPEATS = 3;

export async function repeated(once) {
  const speeds = [];
  for (let i = 0; i < REPEATS; ++i) speeds.push(await once());
  return { best: Math.max(...speeds), median: speeds.sort((a, b) => a - b)[(REPEATS - 1) / 2] };
}

/** A peer made of read(ids, begin), which reads `ids` behind the first `begin`; last() → the logits after them; and
    rewind(begin), which forgets what was read after those, and is not timed. It is `ids` that are decoded. */
export function decoding({ name, read, last, rewind }, ids) {
  return {
    name,
    async logits(checked) {
      const together = checked.length - CHECKED_ALONE;
      await rewind(0);
      await read(checked.slice(0, together), 0);
      for (let i = together; i < checked.length; ++i) await read([checked[i]], i);
      const logits = Array.from(await last());
      await rewind(0);
      await read(ids.slice(0, BEFORE), 0); // for decode()
      return logits;
    },
    decode: () =>
      repeated(async () => {
        await rewind(BEFORE);
        const began = performance.now();
        for (let i = BEFORE; i < BEFORE + IDS; ++i) await read([ids[i]], i);
        return (1000 * IDS) / (performance.now() - began);
      }),
  };
}

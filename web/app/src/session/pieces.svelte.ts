// The piece that plays, and those that were left for another: each is kept, and can go on.
import { recall, remember } from './remember.ts';
import { forget, inOrder, restore, store, surplus, type Saved } from './saved.ts';

const OWN = 'piece';

export class Pieces {
  /** Those that can go on, the latest first; without the one that plays. */
  earlier = $state.raw<Saved[]>([]);
  /** The one that plays. */
  id: string | undefined;
  // As it was saved last. A browser that stores nothing can go on with it too.
  #kept: Saved | undefined;

  constructor() {
    const own = recall(OWN, 'sessionStorage');
    const known = (id: string) => id === this.id || this.earlier.some((piece) => piece.id === id);
    void restore().then((all) => (this.earlier = [...this.earlier, ...inOrder(all, own).filter(({ id }) => !known(id))]), () => {});
  }

  /** A new piece plays, or an earlier one again. */
  begin(again?: Saved): void {
    this.id = again?.id ?? crypto.randomUUID();
    this.#kept = again;
    this.#drop(this.id);
    remember(OWN, this.id, 'sessionStorage');
  }

  /** After a reload it goes on from here. */
  async keep(piece: Saved): Promise<void> {
    if (piece.id === this.id) this.#kept = piece;
    await store(piece).catch(() => {}); // A full or forbidden storage costs the way back after a reload, and nothing else.
  }

  /** The piece ends here, and can go on later. */
  leave(piece = this.#kept): Saved | undefined {
    if (piece === undefined) return undefined;
    this.id = this.#kept = undefined;
    if (piece.position === 0 && piece.prompt === undefined) return void this.forget(piece); // nobody heard it
    this.#drop(piece.id);
    this.earlier = [piece, ...this.earlier];
    void store(piece).catch(() => {});
    for (const one of surplus(this.earlier)) this.forget(one);
    return piece;
  }

  forget({ id }: Saved): void {
    this.#drop(id);
    void forget(id).catch(() => {});
  }

  #drop(id: string): void {
    this.earlier = this.earlier.filter((piece) => piece.id !== id);
  }
}

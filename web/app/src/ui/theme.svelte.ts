// Dark or light: as the system says, unless the listener chose.
import { DARK, LIGHT } from '../roll/palette.ts';
import { recall, remember } from '../session/remember.ts';

const KEY = 'theme';
const system = matchMedia('(prefers-color-scheme: dark)');

class Theme {
  #chosen = $state(recall(KEY));
  #system = $state(system.matches);
  dark = $derived((this.#chosen ?? (this.#system ? 'dark' : 'light')) === 'dark');
  roll = $derived(this.dark ? DARK : LIGHT);

  constructor() {
    system.addEventListener('change', () => (this.#system = system.matches));
    this.#show();
  }

  toggle(): void {
    this.#chosen = this.dark ? 'light' : 'dark';
    remember(KEY, this.#chosen);
    this.#show();
  }

  #show(): void {
    if (this.#chosen !== null) document.documentElement.dataset.theme = this.#chosen;
  }
}

export const theme = new Theme();

// The machine's MIDI ports, and which of them gets the music. Nobody is asked for them before the listener wants them.
import { SvelteMap } from 'svelte/reactivity';
import type { OutChannel } from '../audio/midi-out.ts';

export type MidiState = 'absent' | 'off' | 'asking' | 'refused' | 'on';

export class MidiDevices {
  state = $state<MidiState>('requestMIDIAccess' in navigator ? 'off' : 'absent');
  inputs = $state.raw<MIDIInput[]>([]);
  outputs = $state.raw<MIDIOutput[]>([]);
  /** The port that gets the music; it may be unplugged, and come back. */
  out = $state.raw<{ id: string; name: string } | undefined>();
  channel = $state<OutChannel>();
  /** Inputs that the listener chose to hear, or not. */
  readonly #heard = new SvelteMap<string, boolean>();
  onMessage: (data: Uint8Array) => void = () => {};
  /** An input is heard no more: what it holds down would hang. */
  onDeaf: () => void = () => {};
  onOut: (port: MIDIOutput | undefined, channel: OutChannel) => void = () => {};

  get lost(): boolean {
    return this.out !== undefined && !this.outputs.some(({ id }) => id === this.out!.id);
  }

  /** Unless the listener says so not the other end of the port that gets the music: it would come back as if it were played. */
  hears({ id, name }: MIDIInput): boolean {
    return this.#heard.get(id) ?? name !== this.out?.name;
  }

  hear({ id }: MIDIInput, on: boolean): void {
    this.#heard.set(id, on);
    if (!on) this.onDeaf();
  }

  async connect(): Promise<void> {
    if (this.state !== 'off' && this.state !== 'refused') return;
    this.state = 'asking';
    try {
      const access = await navigator.requestMIDIAccess();
      access.onstatechange = () => this.#look(access);
      this.#look(access);
      this.state = 'on';
    } catch {
      this.state = 'refused';
    }
  }

  send(id: string | undefined, channel: OutChannel): void {
    const port = this.outputs.find((output) => output.id === id);
    this.out = port && { id: port.id, name: port.name ?? 'a port without a name' };
    this.channel = channel;
    this.onDeaf();
    this.onOut(port, channel);
  }

  #look(access: MIDIAccess): void {
    const there = (port: MIDIPort) => port.state === 'connected';
    this.inputs = [...access.inputs.values()].filter(there);
    this.outputs = [...access.outputs.values()].filter(there);
    for (const input of this.inputs) input.onmidimessage = ({ data }) => data !== null && this.hears(input) && this.onMessage(data);
    this.onOut(this.outputs.find(({ id }) => id === this.out?.id), this.channel);
  }
}

// MIDI ports of the standard's shape, for a Chromium without any: what is sent is kept, and what a test says is heard.
export interface Sent {
  port: string;
  data: number[];
  /** Of performance.now(). */
  time: number;
  /** When it was sent. */
  at: number;
}

export function midiPorts(): void {
  class Port extends EventTarget {
    state = 'connected';
    connection = 'open';
    manufacturer = 'test';
    version = '1';
    constructor(
      readonly type: 'input' | 'output',
      readonly id: string,
      readonly name: string,
    ) {
      super();
    }
  }
  class Input extends Port {
    onmidimessage: ((event: { data: Uint8Array; timeStamp: number }) => void) | null = null;
  }
  const sent: Sent[] = [];
  class Output extends Port {
    send(data: Iterable<number>, time = 0): void {
      if (this.state !== 'connected') throw new DOMException('the port is gone', 'InvalidStateError');
      const bytes = [...data];
      if (bytes.some((byte) => !Number.isInteger(byte) || byte < 0 || byte > 255) || bytes[0]! < 0x80) throw new TypeError(`no MIDI message: ${bytes}`);
      sent.push({ port: this.id, data: bytes, time, at: performance.now() });
    }
    clear(): void {}
  }
  const keys = new Input('input', 'in', 'Test keys');
  const loop = new Input('input', 'loop', 'Test DAW');
  const daw = new Output('output', 'out', 'Test DAW');
  const access = Object.assign(new EventTarget(), {
    inputs: new Map([keys, loop].map((input) => [input.id, input])),
    outputs: new Map([[daw.id, daw]]),
    sysexEnabled: false,
    onstatechange: null as ((event: unknown) => void) | null,
  });
  let asked = 0;
  Object.defineProperty(navigator, 'requestMIDIAccess', { value: async () => (++asked, access), configurable: true });
  Object.assign(window, {
    midi: {
      sent,
      asked: () => asked,
      play: (...data: number[]) => keys.onmidimessage?.({ data: Uint8Array.from(data), timeStamp: performance.now() }),
      comeBack: (...data: number[]) => loop.onmidimessage?.({ data: Uint8Array.from(data), timeStamp: performance.now() }),
      unplug: () => {
        daw.state = 'disconnected';
        access.onstatechange?.({ port: daw });
      },
      plug: () => {
        daw.state = 'connected';
        access.onstatechange?.({ port: daw });
      },
    },
  });
}

export interface MidiTest {
  sent: Sent[];
  asked(): number;
  play(...data: number[]): void;
  /** From the other end of the port that gets the music. */
  comeBack(...data: number[]): void;
  unplug(): void;
  plug(): void;
}

// From the synthesizer to the speakers: a gate (nothing handed over sounds after a pause or a seek), the master volume,
// and a limiter, so that any number of instruments stays below full scale.

/** Few instruments play far below full scale: this much louder, and the limiter holds what is too much. */
const DRIVE = 2.2;
/** The gate's fall: short enough to seem immediate, long enough not to click. */
const GATE_SECONDS = 0.008;

export class Output {
  readonly input: GainNode;
  readonly #context: BaseAudioContext;
  readonly #master: GainNode;

  constructor(context: BaseAudioContext) {
    this.#context = context;
    this.input = context.createGain();
    this.#master = context.createGain();
    const limiter = new DynamicsCompressorNode(context, { threshold: -6, knee: 3, ratio: 20, attack: 0.001, release: 0.12 });
    // The compressor lets the first milliseconds of an attack pass; what remains of it is rounded off here.
    const ceiling = new WaveShaperNode(context, { curve: softCeiling() });
    this.input.connect(this.#master).connect(limiter).connect(ceiling).connect(context.destination);
  }

  setVolume(volume: number): void {
    // Loudness is felt logarithmically: the square makes a slider's middle sound like half.
    this.#master.gain.setTargetAtTime(DRIVE * volume * volume, this.#context.currentTime, 0.02);
  }

  close(now: number): void {
    this.input.gain.cancelScheduledValues(now);
    this.input.gain.setTargetAtTime(0, now, GATE_SECONDS);
  }

  open(at: number): void {
    this.input.gain.setValueAtTime(1, at);
  }
}

/** Straight up to 0.85, then bending to 0.98 at full scale; beyond full scale a WaveShaper holds its last value. */
function softCeiling(): Float32Array<ArrayBuffer> {
  const size = 2049;
  const straight = 0.85;
  const room = 0.98 - straight;
  return Float32Array.from({ length: size }, (_, i) => {
    const x = (2 * i) / (size - 1) - 1;
    const over = Math.abs(x) - straight;
    if (over <= 0) return x;
    return Math.sign(x) * (straight + room * Math.tanh(over / room));
  });
}

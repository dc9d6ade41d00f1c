// 24-bit stereo WAV, made piece by piece: hours would not fit into memory at once.
export const RATE = 44100;
const CHANNELS = 2;
const BYTES = 3;
const FULL_SCALE = 2 ** 23 - 1;

/** Its sizes have 32 bits: with what sounds on after the last note, no more fits. */
export const LONGEST_SECONDS = 4 * 3600 + 20 * 60;

export const bytesOf = (seconds: number): number => 44 + Math.ceil(seconds * RATE) * CHANNELS * BYTES;

/** Interleaved samples, times a gain, as bytes. What is beyond full scale is held there. */
export function encode(samples: Float32Array, gain: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(samples.length * BYTES);
  for (let i = 0; i < samples.length; ++i) {
    const value = Math.round(Math.max(-1, Math.min(1, samples[i]! * gain)) * FULL_SCALE);
    bytes[3 * i] = value;
    bytes[3 * i + 1] = value >> 8;
    bytes[3 * i + 2] = value >> 16;
  }
  return bytes;
}

export function header(frames: number): Uint8Array<ArrayBuffer> {
  const data = frames * CHANNELS * BYTES;
  const bytes = new Uint8Array(44);
  const view = new DataView(bytes.buffer);
  const text = (at: number, letters: string) => [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, 'RIFF');
  view.setUint32(4, 36 + data, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, CHANNELS, true);
  view.setUint32(24, RATE, true);
  view.setUint32(28, RATE * CHANNELS * BYTES, true);
  view.setUint16(32, CHANNELS * BYTES, true);
  view.setUint16(34, 8 * BYTES, true);
  text(36, 'data');
  view.setUint32(40, data, true);
  return bytes;
}

// General MIDI: the names of the 128 programs and of the drum kit's keys, and ensembles to begin with.

/** The drum kit counts as instrument 128. */
export const DRUMS = 128;

const NAMES = `Grand piano|Bright piano|Electric grand|Honky-tonk piano|Electric piano 1|Electric piano 2|Harpsichord|Clavinet
Celesta|Glockenspiel|Music box|Vibraphone|Marimba|Xylophone|Tubular bells|Dulcimer
Drawbar organ|Percussive organ|Rock organ|Church organ|Reed organ|Accordion|Harmonica|Tango accordion
Nylon guitar|Steel guitar|Jazz guitar|Clean guitar|Muted guitar|Overdriven guitar|Distortion guitar|Guitar harmonics
Acoustic bass|Finger bass|Picked bass|Fretless bass|Slap bass 1|Slap bass 2|Synth bass 1|Synth bass 2
Violin|Viola|Cello|Contrabass|Tremolo strings|Pizzicato strings|Harp|Timpani
String ensemble 1|String ensemble 2|Synth strings 1|Synth strings 2|Choir aahs|Voice oohs|Synth voice|Orchestra hit
Trumpet|Trombone|Tuba|Muted trumpet|French horn|Brass section|Synth brass 1|Synth brass 2
Soprano sax|Alto sax|Tenor sax|Baritone sax|Oboe|English horn|Bassoon|Clarinet
Piccolo|Flute|Recorder|Pan flute|Blown bottle|Shakuhachi|Whistle|Ocarina
Square lead|Sawtooth lead|Calliope lead|Chiff lead|Charang lead|Voice lead|Fifths lead|Bass and lead
New age pad|Warm pad|Polysynth pad|Choir pad|Bowed pad|Metallic pad|Halo pad|Sweep pad
Rain|Soundtrack|Crystal|Atmosphere|Brightness|Goblins|Echoes|Sci-fi
Sitar|Banjo|Shamisen|Koto|Kalimba|Bagpipe|Fiddle|Shanai
Tinkle bell|Agogo|Steel drums|Woodblock|Taiko drum|Melodic tom|Synth drum|Reverse cymbal
Guitar fret noise|Breath noise|Seashore|Bird tweet|Telephone|Helicopter|Applause|Gunshot`
  .split('\n')
  .flatMap((line) => line.split('|'));

const FAMILIES = ['Piano', 'Chromatic percussion', 'Organ', 'Guitar', 'Bass', 'Strings', 'Ensemble', 'Brass', 'Reed', 'Pipe',
  'Synth lead', 'Synth pad', 'Synth effects', 'World', 'Percussive', 'Sound effects'] as const;

export function instrumentName(instrument: number): string {
  return instrument === DRUMS ? 'Drum kit' : (NAMES[instrument] ?? `Program ${instrument}`);
}

/** Every instrument under its family, the drum kit first. */
export const INSTRUMENT_GROUPS: { family: string; instruments: number[] }[] = [
  { family: 'Drums', instruments: [DRUMS] },
  ...FAMILIES.map((family, group) => ({ family, instruments: Array.from({ length: 8 }, (_, i) => group * 8 + i) })),
];

export interface Preset {
  name: string;
  instruments: number[];
}
/** An empty ensemble means that everything may play. */
export const PRESETS: Preset[] = [
  { name: 'Everything', instruments: [] },
  { name: 'Solo piano', instruments: [0] },
  { name: 'Jazz trio', instruments: [0, 32, DRUMS] },
  { name: 'String quartet', instruments: [40, 41, 42] },
  { name: 'Rock band', instruments: [29, 30, 33, DRUMS] },
  { name: 'Pop band', instruments: [0, 25, 33, 50, DRUMS] },
  { name: 'Chamber', instruments: [40, 42, 68, 70, 71, 73] },
  { name: 'Orchestra', instruments: [40, 41, 42, 43, 47, 48, 56, 57, 60, 68, 70, 71, 73] },
  { name: 'Brass band', instruments: [56, 57, 58, 60, DRUMS] },
  { name: 'Funk', instruments: [4, 7, 28, 36, 61, 65, DRUMS] },
  { name: 'Synthwave', instruments: [38, 50, 80, 81, 89, DRUMS] },
  { name: 'Music box', instruments: [8, 9, 10, 11] },
];

const DRUM_NAMES: Record<number, string> = {
  35: 'Bass drum 2', 36: 'Bass drum', 37: 'Side stick', 38: 'Snare', 39: 'Clap', 40: 'Electric snare', 41: 'Low floor tom',
  42: 'Closed hi-hat', 43: 'High floor tom', 44: 'Pedal hi-hat', 45: 'Low tom', 46: 'Open hi-hat', 47: 'Low-mid tom', 48: 'High-mid tom',
  49: 'Crash', 50: 'High tom', 51: 'Ride', 52: 'China cymbal', 53: 'Ride bell', 54: 'Tambourine', 55: 'Splash', 56: 'Cowbell',
  57: 'Crash 2', 58: 'Vibraslap', 59: 'Ride 2', 60: 'High bongo', 61: 'Low bongo', 62: 'Mute conga', 63: 'Open conga', 64: 'Low conga',
  65: 'High timbale', 66: 'Low timbale', 67: 'High agogo', 68: 'Low agogo', 69: 'Cabasa', 70: 'Maracas', 71: 'Short whistle',
  72: 'Long whistle', 73: 'Short guiro', 74: 'Long guiro', 75: 'Claves', 76: 'High woodblock', 77: 'Low woodblock', 78: 'Mute cuica',
  79: 'Open cuica', 80: 'Mute triangle', 81: 'Open triangle',
};

const PITCH_NAMES = ['C', 'C♯', 'D', 'E♭', 'E', 'F', 'F♯', 'G', 'A♭', 'A', 'B♭', 'B'];

/** "E♭4", or what a drum key is called. */
export function pitchName(pitch: number, instrument = 0): string {
  if (instrument === DRUMS) return DRUM_NAMES[pitch] ?? `Key ${pitch}`;
  return `${PITCH_NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;
}

/** The drum kit's keys on which kits agree; enough to have every common sample decoded. */
export const COMMON_DRUM_KEYS = [36, 38, 42, 46, 35, 40, 44, 49, 51, 37, 39, 41, 43, 45, 47, 48, 50, 53, 54, 56, 57, 59, 69, 70];

// A MIDI file -> a WAV file, played by FluidSynth with a General MIDI soundfont. No audio device is touched.
// Must not know: the model. Read next: render_wav.cc.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace midinf::cli {

/// How a MIDI file is turned into sound.
struct RenderOptions {
  /// A soundfont file (.sf2, .sf3). Empty: the environment variable MIDINFINITE_SOUNDFONT, else find_soundfont's
  /// places.
  std::string soundfont;
  int sample_rate = 44100;  ///< Hz, 8,000..96,000
  /// The loudest sample of the WAV, dB relative to full scale, -40..0; the whole file is scaled to it, silence is not.
  double peak_dbfs = -1.0;
  /// The longest song that is rendered; a damaged file can claim years.
  Seconds longest{6.0 * 3600};
  /// Is told what fraction of the work is done, 0..1, after each 23 ms of sound; false stops there, and what has been
  /// rendered until then is written.
  std::function<bool(double fraction)> progress;
};

/// What has been written.
struct RenderReport {
  Seconds duration;       ///< of the WAV, release of the last notes included
  double peak_dbfs = 0;   ///< loudest sample; minus infinity for silence
  double rms_dbfs = 0;    ///< root mean square of both channels over the whole file; minus infinity for silence
  std::string soundfont;  ///< the file that was used, links resolved
  bool complete = true;   ///< false: RenderOptions::progress stopped it
};

/// Whether this program was built with FluidSynth. Without it render_wav always returns kUnsupported. [any thread]
bool can_render_wav();

/// Where soundfonts are looked for, best first. [any thread]
std::vector<std::string> soundfont_folders();

/// The soundfont to use: `wanted` if it is not empty, else MIDINFINITE_SOUNDFONT if that is set, else the best in
/// `folders`: MuseScore_General (MIT licence), then FluidR3, then whatever the system calls its default. Does not open
/// it. Errors: kNotFound when the one asked for does not exist, or there is none at all (says what to install). [any
/// thread]
Result<std::string> find_soundfont(const std::string& wanted, std::span<const std::string> folders);

/// Renders a Standard MIDI File as it stands (all controllers, not only what the model sees) to a stereo 16-bit WAV at
/// `wav_path` ("-": standard output). The file appears whole or not at all. It ends when the last release has faded,
/// and trailing silence is cut; a song without sound gives zeros as long as the song, at least 0.1 s.
///
/// The same bytes, options and soundfont give the same file. Cost: some two seconds to unpack the soundfont, then
/// about 50 times faster than it plays, on one core; memory does not grow with the song, but beside the WAV (or in the
/// temporary folder) 8 bytes a frame are needed while it runs: 21 MB a minute. Errors: kUnsupported (built without
/// FluidSynth, longer than RenderOptions::longest or than a WAV can be), kNotFound and kCorrupt (soundfont, song),
/// kInvalidArgument (options), kIo. FluidSynth's messages go into errors, never to standard error. Callers take turns.
/// [any thread but audio]
Result<RenderReport> render_wav(std::span<const std::byte> midi_file_bytes, const std::string& wav_path,
                                const RenderOptions& options = {});

}  // namespace midinf::cli

// What a musician may choose about the music itself, and the chain of processors that makes it so.
// Must not know: networks, streams. Read next: sampling/logit_processor.h, then the processors in this folder.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "sampling/logit_processor.h"

namespace midinf {

/// What density counts since an instrument last played.
enum class DensityUnit : std::uint8_t { kEvents, kSeconds };

/// The keys that one instrument may play, both ends included.
struct PitchRange {
  int instrument = 0;  ///< 0..128
  int lowest = 0;      ///< MIDI key 0..127
  int highest = 127;

  bool operator==(const PitchRange&) const = default;
};

inline constexpr std::uint16_t kAllPitchClasses = 0xFFF;
inline constexpr int kMostPolyphony = 1'024;  ///< a processor sees no more events than that
inline constexpr int kMostPace = 1'024;       ///< the same

/// Everything here acts on the events that are drawn next; changing it never changes what stands.
struct Settings {
  std::uint64_t seed = 0;
  double temperature = 1.0;   ///< 0..10; 0 is greedy
  double top_p = 0.98;        ///< 0..1, nucleus; 0 is greedy, 1 keeps every id
  int top_k = 0;              ///< 0..55,028: keeps the likeliest so many ids; 0 keeps every id
  double min_p = 0;           ///< 0..1, drops ids less likely than this share of the likeliest; 0 keeps every id
  std::vector<int> ensemble;  ///< instruments that may play, 0..128; empty: all
  double density = 0;         ///< 0..3: how strongly an instrument that has been silent is called; 0 not at all
  DensityUnit density_unit = DensityUnit::kEvents;
  int instrument_cap = 0;                  ///< 0..129: at most so many instruments within the window; 0: any number
  double frequency_penalty = 0;            ///< -2..2, taken from a note's logit for each time it stands in the window
  int polyphony = 0;                       ///< 0..1,024: at most so many notes sound at once; 0: any number
  int pace = 0;                            ///< 0..1,024: at most so many notes begin within a second; 0: any number
  std::uint16_t scale = kAllPitchClasses;  ///< bit n: pitch class n (0 = C) may sound; drums play regardless
  std::vector<PitchRange> pitch_ranges;    ///< at most one an instrument; an instrument without one plays every key
  bool recover = true;                     ///< leave dead or stuck music (stream/trouble.h)
  bool reference = false;                  ///< the reference's rules and window, for golden tests (docs/deviations.md)
  /// The embedder's own, called after ours and before temperature. Not saved with a session.
  std::vector<std::shared_ptr<const LogitProcessor>> processors;

  bool operator==(const Settings&) const = default;
};

/// Errors: kInvalidArgument naming the setting, its value and what it may be. [any thread]
Result<void> check_settings(const Settings& settings);

/// The processors of `settings` in the order in which they act. Precondition: check_settings(settings). [any thread]
std::vector<std::shared_ptr<const LogitProcessor>> make_processors(const Settings& settings);

}  // namespace midinf

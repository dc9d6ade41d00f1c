// What a musician may turn while music plays and that is heard at once: it acts on notes already generated, so that
// nothing has to be generated again. Read next: scheduler.h, which obeys it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/note.h"

namespace midinf {

/// Written by [main], read by [audio] once a block; no lock anywhere. A value outside its range counts as the nearest
/// one inside.
struct LiveControls {
  static constexpr int kMinSpeed = 250;
  static constexpr int kMaxSpeed = 4000;
  static constexpr int kMaxTranspose = 36;
  static constexpr int kMaxVelocity = 200;
  static constexpr std::uint8_t kDefaultVolume = 100;  // General MIDI's

  std::atomic<int> speed{1000};    ///< thousandths of the speed as written, 250..4000
  std::atomic<int> transpose{0};   ///< semitones, -36..36; drums stay
  std::atomic<int> velocity{100};  ///< percent of each note's velocity, 0..200; 0 plays no note
  std::array<std::atomic<std::uint8_t>, kInstruments> volume;  ///< channel volume, 0..127
  std::array<std::atomic<bool>, kInstruments> muted{};
  std::atomic<bool> playing{true};  ///< false: paused, nothing sounds and the clock stands
  std::atomic<std::uint32_t> panics{0};

  LiveControls() {
    for (auto& each : volume) each.store(kDefaultVolume, std::memory_order_relaxed);
  }

  /// Silences every note and every channel that was used; the music goes on with the next note. [main]
  void panic() { panics.fetch_add(1, std::memory_order_relaxed); }
  /// Pauses and silences: what to do before the device or the program goes away. [main]
  void stop() {
    playing.store(false, std::memory_order_relaxed);
    panic();
  }
};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<std::uint8_t>::is_always_lock_free &&
              std::atomic<bool>::is_always_lock_free && std::atomic<std::uint32_t>::is_always_lock_free);

}  // namespace midinf

#include "stream/velocity.h"

#include <algorithm>

#include "sampling/random.h"
#include "tokens/triplets.h"

namespace midinf {
namespace {

constexpr std::uint32_t kSubstream = 0x56'65'6C;  // apart from the draws of the generator

int drum_accent(int key) {
  switch (key) {
    case 35:  // bass drums
    case 36:
      return 14;
    case 38:  // snares
    case 40:
      return 12;
    case 49:  // crashes
    case 57:
      return 10;
    case 42:  // closed and pedal hi-hat, shaker, maracas
    case 44:
    case 70:
    case 82:
      return -14;
    default:
      return 0;
  }
}

}  // namespace

std::uint8_t velocity_of(std::span<const Triplet> events, std::size_t i, std::uint64_t index,
                         const VelocityStyle& style) {
  if (style.constant > 0) return static_cast<std::uint8_t>(std::min(style.constant, 127));
  const Triplet& event = events[i];
  int together = 0;
  const auto counts = [&](std::size_t k) { together += is_note(events[k]) ? 1 : 0; };
  for (std::size_t k = i; k < events.size() && events[k].onset == event.onset; ++k) counts(k);
  for (std::size_t k = i; k-- > 0 && events[k].onset == event.onset;) counts(k);
  int velocity = kDefaultVelocity + std::min(3 * (together - 1), 15);
  if (instrument_of(event) == kDrums) {
    velocity += drum_accent(pitch_of(event));
  } else {
    if (together == 1) velocity -= 4;
    if (duration_of(event) > Ticks10ms(100)) velocity -= 4;
  }
  velocity += static_cast<int>(uniform(style.seed, index, kSubstream) * 11) - 5;
  return static_cast<std::uint8_t>(std::clamp(velocity, 1, 127));
}

std::vector<Note> played_notes(std::span<const Triplet> events, std::uint64_t first, const VelocityStyle& style) {
  std::vector<Note> notes;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (!is_note(events[i])) continue;
    notes.push_back({onset_of(events[i]), duration_of(events[i]), static_cast<std::uint8_t>(instrument_of(events[i])),
                     static_cast<std::uint8_t>(pitch_of(events[i])), velocity_of(events, i, first + i, style)});
  }
  return notes;
}

}  // namespace midinf

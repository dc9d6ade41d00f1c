// Strong time types: units that do not convert silently.
// Read next: note.h.
#pragma once

#include <compare>
#include <cstdint>

namespace midinf {

/// A number with a unit. Same-unit arithmetic only; crossing units takes a named function below.
template <class Unit, class Rep>
class Quantity {
 public:
  using rep = Rep;
  constexpr Quantity() = default;
  constexpr explicit Quantity(Rep count) : count_(count) {}
  [[nodiscard]] constexpr Rep count() const { return count_; }

  constexpr auto operator<=>(const Quantity&) const = default;
  constexpr Quantity& operator+=(Quantity other) { return *this = *this + other; }
  constexpr Quantity& operator-=(Quantity other) { return *this = *this - other; }
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return Quantity(a.count_ + b.count_); }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return Quantity(a.count_ - b.count_); }

 private:
  Rep count_{};
};

/// The model's clock: steps of 10 ms. 64 bits: a stream may play for years.
using Ticks10ms = Quantity<struct Ticks10msUnit, std::int64_t>;
/// Ticks of one MIDI file; their length depends on its division and tempo map.
using MidiTicks = Quantity<struct MidiTicksUnit, std::int64_t>;
using Seconds = Quantity<struct SecondsUnit, double>;
using Samples = Quantity<struct SamplesUnit, std::int64_t>;

inline constexpr std::int64_t kTicksPerSecond = 100;

constexpr Seconds to_seconds(Ticks10ms t) {
  return Seconds(static_cast<double>(t.count()) / kTicksPerSecond);
}

/// Rounds to the nearest tick, halves away from zero. Precondition: |s| below 10^15 seconds.
constexpr Ticks10ms to_ticks(Seconds s) {
  const double scaled = s.count() * kTicksPerSecond;
  return Ticks10ms(static_cast<std::int64_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5));
}

}  // namespace midinf

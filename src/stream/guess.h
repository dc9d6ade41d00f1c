// What may come next, guessed from what came when the music last went as it goes now. Costs a thousandth of
// asking the network; model/forward.h reads the guesses along, so that a right one spares a pass.
// Must not know: networks, settings. Read next: generator.cc, which makes them part of its requests.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "base/time.h"
#include "base/token.h"

namespace midinf {

/// Guesses, and learns how good they are: some music repeats itself, some never does. Copies go on by themselves.
/// [worker]
class Guesser {
 public:
  /// Guesses the ids that may follow: those behind the place, among the latest events, to which the music went the
  /// longest as it has gone now. Onsets in a window that begins at `origin`. `drawn`: the event in the making, of which
  /// the ids before `slot` are there.
  void guess(std::span<const Triplet> history, Ticks10ms origin, Slot slot, const Triplet& drawn);
  /// The latest guesses. Valid until the next.
  [[nodiscard]] std::span<const Guess> guesses() const { return guesses_; }
  /// Without looking whether they are right: they cannot be.
  void forget() { guesses_.clear(); }
  /// What stood in `slot`, which the latest guesses were for.
  void learn(Slot slot, TokenId id);

 private:
  // Of the latest first guesses in a slot: how many were expected to be right, and how many were, as shares.
  struct Record {
    float expected = 0.5F;
    float right = 0.5F;
  };
  std::array<Record, 3> records_;
  std::vector<Guess> guesses_;
  float expected_ = 0;  // by the length of the likeness alone, of the first guess
};

}  // namespace midinf

// An id of the model's vocabulary and the triplet that makes one event, for the layers that need not know what they
// mean. Read next: row_ranges.h, tokens/vocabulary.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace midinf {

/// An id: a row of the embedding and of the output head. Onset ids of a long event list may exceed the vocabulary.
using TokenId = std::int32_t;

/// The ids of one event in the order in which the model writes them.
struct Triplet {
  TokenId onset = 0;
  TokenId duration = 0;
  TokenId note = 0;

  bool operator==(const Triplet&) const = default;
};

/// An id that may follow.
struct Guess {
  TokenId id = 0;
  float chance = 0;  ///< that it and all guesses before it are right, 0..1
};
inline constexpr std::size_t kMostGuesses = 5;  ///< so many are read along at most

/// Which id of a triplet is meant.
enum class Slot : std::uint8_t { kOnset = 0, kDuration = 1, kNote = 2 };

}  // namespace midinf

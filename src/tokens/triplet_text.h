// Triplets <-> text, one a line: what `midinfinite tokens` prints and reads back.
// Must not know: MIDI, networks. Read next: triplets.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token.h"

namespace midinf {

/// Larger texts are refused before they are read: ten million lines fit.
inline constexpr std::uint64_t kMaxTripletTextBytes = 512 << 20;

/// "onset duration note" and a line feed for each. [any thread]
std::string to_text(std::span<const Triplet> triplets);

/// The triplets of a text: three decimal numbers a line, spaces or tabs between them; a line may be blank, end in a
/// carriage return, or have a comment from # on. Errors, kCorrupt with where = "line N": a line that is something else;
/// a triplet that triplets_from_ids would refuse. [any thread]
Result<std::vector<Triplet>> triplets_from_text(std::string_view text);

}  // namespace midinf

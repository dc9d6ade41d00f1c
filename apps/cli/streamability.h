// How often music can play while it is being generated: the analysis of the first MIDInfinite's paper (its Table 1),
// made of the moments at which the events of many pieces begin.
// Must not know: networks, files, what is printed. Read next: streamability_command.cc, which generates the pieces.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace midinf::cli {

inline constexpr int kTokensPerEvent = 3;  ///< ids drawn: a REST costs as many as a note

/// A piece from its beginning, as the analysis sees it.
struct Piece {
  std::vector<Ticks10ms> onsets;  ///< of its events in their order, RESTs too; none decreases, none reaches `length`
  std::size_t first_note = 0;     ///< the index of the first that is no REST
  Ticks10ms length;
};

/// What each one-second window asks for, in tokens a second: the tokens of the `buffer` + 1 seconds that end with it,
/// divided by that time. Before a piece there are none, and what is left of it behind its last whole second is no
/// window. Piece after piece, window after window. Precondition: buffer >= 0.
std::vector<double> window_demands(std::span<const Piece> pieces, Seconds buffer);

/// The share of `demands`, 0..1, that are at most `speed` tokens a second: those windows are streamable. Precondition:
/// not empty.
double streamable_share(std::span<const double> demands, double speed);

/// The lowest speed, in tokens a second, at which `share` of the demands, 0..1, are met. Precondition: not empty.
double speed_needed(std::span<const double> demands, double share);

/// Whether a listener hears the piece without a gap while its tokens come at a constant `speed` a second from the
/// moment of start. The first note sounds as soon as an event is there that begins `buffer` later than it or later
/// still (0: as soon as it is there itself), or all of the piece is; from then on every event must be there when it is
/// due. Precondition: speed > 0, buffer >= 0.
bool plays_through(const Piece& piece, double speed, Seconds buffer);

/// The share of pieces, 0..1, that play through. Precondition: not empty.
double playing_share(std::span<const Piece> pieces, double speed, Seconds buffer);

/// A row of the paper's Table 1.
struct PublishedRow {
  std::string_view name;
  double speed;           ///< tokens a second
  double share;           ///< streamable without a buffer, 0..1
  double share_buffered;  ///< with a buffer of 2 s
};
std::span<const PublishedRow> published_rows();

/// By how much the paper's music must have been denser than that of `demands` (made without a buffer), if density is
/// all that differs: the factor on them, 0.25..4, at which the paper's speeds come nearest to its shares without a
/// buffer (least squares). Precondition: not empty.
double density_of_the_paper(std::span<const double> demands);

}  // namespace midinf::cli

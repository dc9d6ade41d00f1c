// How densely music comes, as a picture (SVG): the density plot of the first MIDInfinite's paper (its Figure 2).
// Must not know: networks, files. Read next: streamability.h, where the numbers come from.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace midinf::cli {

/// One curve: how the demands of all windows are distributed.
struct DemandCurve {
  std::string name;             ///< UTF-8; it is escaped, and cut where it is long
  std::vector<double> demands;  ///< tokens a second, at least one
};

/// A speed of generation, as an upright line.
struct SpeedMark {
  std::string name;  ///< UTF-8; it is escaped, and cut where it is long
  double speed = 0;  ///< tokens a second
  bool published = false;
};

/// Draws the density of each curve's demands (a Gaussian kernel of Silverman's width, at least one event wide, mirrored
/// at 0) over tokens a second as a complete SVG document, 1000 units wide, on a background of its own. A mark beyond
/// the demands is named at the right edge. The same arguments give the same bytes. Precondition: 1 to 4 curves.
std::string demand_svg(std::span<const DemandCurve> curves, std::span<const SpeedMark> marks, const std::string& title);

}  // namespace midinf::cli

#include "streamability_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <map>
#include <numbers>
#include <numeric>
#include <string_view>
#include <tuple>

#include "base/result.h"
#include "roll_style.h"
#include "streamability.h"

namespace midinf::cli {
namespace {

constexpr double kWidth = 1000, kHeight = 600;
constexpr double kLeft = 64, kRight = kWidth - 40;
constexpr double kTop = 268, kBottom = kHeight - 62;  // of the curves
constexpr double kMarkStep = 15;                      // between two names of speeds
constexpr int kMarkLetters = 23;                      // as many have room above the curves
constexpr double kTitle = 38;                         // its line
constexpr int kPoints = 300;
constexpr std::array<std::string_view, 4> kCurveColours = {"#5ea8f9", "#f99532", "#aefe92", "#f1a3c2"};

// The density at evenly spaced points from 0 to `most`.
std::vector<double> density_of(std::span<const double> demands, double most) {
  const auto count = static_cast<double>(demands.size());
  const double mean = std::accumulate(demands.begin(), demands.end(), 0.0) / count;
  double squares = 0;
  std::map<double, int> windows;  // few values stand for many windows
  for (const double demand : demands) {
    squares += (demand - mean) * (demand - mean);
    ++windows[demand];
  }
  const double deviation = std::sqrt(squares / count);
  const double quartiles = speed_needed(demands, 0.75) - speed_needed(demands, 0.25);
  const double spread = quartiles > 0 ? std::min(deviation, quartiles / 1.34) : deviation;
  const double width = std::max<double>(kTokensPerEvent, 0.9 * spread * std::pow(count, -0.2));
  std::vector<double> density(kPoints + 1);
  for (int i = 0; i <= kPoints; ++i) {
    const double at = most * i / kPoints;
    double sum = 0;
    for (const auto& [demand, number] : windows)
      for (const double centre : {demand, -demand}) {
        const double distance = (at - centre) / width;
        sum += number * std::exp(-distance * distance / 2);
      }
    density[static_cast<std::size_t>(i)] = sum / (count * width * std::sqrt(2 * std::numbers::pi));
  }
  return density;
}

// 1, 2 or 5 times a power of ten, so that at most `lines` of them fit into `range`.
double round_step(double range, int lines) {
  double step = std::pow(10, std::floor(std::log10(range / lines)));
  for (const double factor : {1.0, 2.0, 5.0, 10.0})
    if (range / (step * factor) <= lines) return step * factor;
  return step * 10;
}

double x_of(double speed, double most) {
  return kLeft + (kRight - kLeft) * speed / most;
}

void draw_axes(std::string& out, double most, double highest) {
  const auto add = [&](std::string_view text) { out += text; };
  add(fmt::format(R"(<rect x="{}" y="{}" width="{}" height="{}" fill="{}"/>)", kLeft, kTop, kRight - kLeft,
                  kBottom - kTop, kRollBack));
  add(fmt::format("<g font-size=\"12\" fill=\"{}\" text-anchor=\"middle\">\n", kTextMuted));
  const double step = round_step(most, 12);
  for (int i = 0; i * step <= most; ++i)
    add(fmt::format(R"(<path stroke="{}" d="M{:.1f} {}V{}"/><text x="{:.1f}" y="{}">{:g}</text>)", kLineWeak,
                    x_of(i * step, most), kTop, kBottom, x_of(i * step, most), kBottom + 18, i * step));
  add(fmt::format("<text x=\"{}\" y=\"{}\">tokens per second of music</text>\n", (kLeft + kRight) / 2, kBottom + 42));
  // Upright: per cent of the windows in each step of ten tokens a second.
  const double range = 1000 * highest, rise = round_step(range, 5);
  for (int i = 1; i * rise <= range; ++i) {
    const double y = kBottom - (kBottom - kTop) * i * rise / range;
    add(fmt::format(R"(<path stroke="{}" d="M{} {:.1f}H{}"/><text x="{}" y="{:.1f}" text-anchor="end">{:g} %</text>)",
                    kLineWeak, kLeft, y, kRight, kLeft - 6, y + 4, i * rise));
  }
  add("\n</g>\n");
  add(fmt::format(
      "<text transform=\"translate(16 {}) rotate(-90)\" font-size=\"12\" fill=\"{}\" text-anchor=\"middle\">"
      "windows in each step of 10 tokens/s</text>\n",
      (kTop + kBottom) / 2, kTextMuted));
}

void draw_marks(std::string& out, std::span<const SpeedMark> marks, double most) {
  std::vector<SpeedMark> sorted(marks.begin(), marks.end());
  std::ranges::sort(sorted, {}, [](const SpeedMark& mark) { return std::tie(mark.speed, mark.name); });
  const auto inside = [&](const SpeedMark& mark) { return mark.speed <= most; };
  double label_x = 0;
  for (const SpeedMark& mark : sorted) {
    if (!inside(mark)) continue;
    const double x = x_of(mark.speed, most);
    label_x = std::max(x, label_x + kMarkStep);
    out += fmt::format(R"(<path stroke="{0}" {1}d="M{2:.1f} {3}V{4}L{5:.1f} {6}"/>)",
                       mark.published ? kTextMuted : kTextStrong, mark.published ? R"(stroke-dasharray="4 3" )" : "", x,
                       kBottom, kTop, label_x, kTop - 14);
    out += fmt::format(
        "<text transform=\"translate({:.1f} {}) rotate(-90)\" font-size=\"12\" fill=\"{}\">{:g} {}</text>\n",
        label_x + 4, kTop - 18, mark.published ? kTextMuted : kTextStrong, std::round(mark.speed),
        xml_text(mark.name, kMarkLetters));
  }
  double y = kTitle;
  for (const SpeedMark& mark : sorted) {
    if (inside(mark)) continue;
    out += fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"12\" fill=\"{}\" text-anchor=\"end\">{} {:g} →</text>\n",
                       kRight, y, mark.published ? kTextMuted : kTextStrong, xml_text(mark.name, kMarkLetters),
                       std::round(mark.speed));
    y += kMarkStep;
  }
}

}  // namespace

std::string demand_svg(std::span<const DemandCurve> curves, std::span<const SpeedMark> marks,
                       const std::string& title) {
  MIDINF_ASSERT(!curves.empty() && curves.size() <= kCurveColours.size());
  // Up to where nearly all windows are, and at least as far as the paper's speeds.
  double most = 0;
  for (const PublishedRow& row : published_rows()) most = std::max(most, 1.1 * row.speed);
  for (const DemandCurve& curve : curves) most = std::max(most, 1.1 * speed_needed(curve.demands, 0.998));
  most = 10 * std::ceil(most / 10);
  std::vector<std::vector<double>> densities;
  double highest = 0;
  for (const DemandCurve& curve : curves) {
    densities.push_back(density_of(curve.demands, most));
    highest = std::max(highest, 1.06 * std::ranges::max(densities.back()));
  }

  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" "
      "aria-labelledby=\"ms-title ms-desc\" fill=\"none\" "
      "font-family=\"ui-sans-serif,system-ui,-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif\">\n",
      kWidth, kHeight);
  out += fmt::format("<title id=\"ms-title\">{}</title>\n", xml_text(title, 200));
  out += "<desc id=\"ms-desc\">How many tokens each second of the music takes: the density over all one-second windows";
  for (const DemandCurve& curve : curves)
    out += fmt::format("; {}: half of them at most {:.0f}, 95 % at most {:.0f} tokens per second",
                       xml_text(curve.name, 60), speed_needed(curve.demands, 0.5), speed_needed(curve.demands, 0.95));
  out += ". Upright lines are speeds of generation, dashed ones those of the paper.</desc>\n";
  out += fmt::format("<rect x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"14\" fill=\"{}\" stroke=\"#2b3140\"/>\n",
                     kWidth - 1, kHeight - 1, kPage);
  out += fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"19\" font-weight=\"600\" fill=\"{}\">{}</text>\n", kLeft,
                     kTitle, kTextStrong, xml_text(title, 80));
  double x = kLeft;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    const std::string name = xml_text(curves[i].name, 40);
    out += fmt::format(
        "<rect x=\"{}\" y=\"54\" width=\"12\" height=\"12\" rx=\"3.5\" fill=\"{}\"/><text x=\"{}\" y=\"64.5\" "
        "font-size=\"13\" fill=\"{}\">{}</text>\n",
        x, kCurveColours[i], x + 19, kText, name);
    x += 41 + 7.3 * static_cast<double>(name.size());  // no font is known here: reckon with a wide one
  }
  draw_axes(out, most, highest);
  for (std::size_t i = 0; i < curves.size(); ++i) {
    std::string path;
    for (std::size_t k = 0; k < densities[i].size(); ++k)
      fmt::format_to(std::back_inserter(path), "{}{:.1f} {:.1f}", k == 0 ? 'M' : 'L',
                     x_of(most * static_cast<double>(k) / kPoints, most),
                     kBottom - (kBottom - kTop) * densities[i][k] / highest);
    if (i == 0)
      out +=
          fmt::format("<path fill=\"{}\" opacity=\".25\" d=\"{}V{}H{}z\"/>\n", kCurveColours[i], path, kBottom, kLeft);
    out += fmt::format("<path stroke=\"{}\" stroke-width=\"2\" d=\"{}\"/>\n", kCurveColours[i], path);
  }
  draw_marks(out, marks, most);
  out += "</svg>\n";
  return out;
}

}  // namespace midinf::cli

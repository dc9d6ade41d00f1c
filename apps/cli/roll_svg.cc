// Draws the piano roll. From top to bottom: layout, instruments, shapes, document. Colours and words: roll_style.cc.
// Positions are integers in tenths of a unit until they become text: short numbers, and no rounding error adds up in
// the relative coordinates of a path.
#include "roll_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <map>
#include <numeric>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/general_midi.h"
#include "base/result.h"
#include "roll_style.h"

namespace midinf::cli {
namespace {

// --- Layout ---------------------------------------------------------------------------------------------------------

constexpr double kWidth = 1200;
constexpr double kMargin = 26;
constexpr double kKeyboard = 26;       // width of the keys drawn beside the roll
constexpr double kSingleRowMax = 80;   // seconds
constexpr double kSecondsPerRow = 60;  // of pieces that wrap
constexpr int kMaxRows = 6;

/// Where everything is, in units.
struct Layout {
  double seconds = 0;  ///< of music
  int rows = 1;
  double row_seconds = 4;
  double left = 0, right = kWidth - kMargin;  ///< of the roll itself
  bool keys = true;                           ///< false: nothing but drums
  int low = 0, high = 0;                      ///< lowest and highest pitch with a row
  double key_height = 0;
  std::vector<std::string> lanes;      ///< names of the drum lanes, from top to bottom
  std::array<int, 128> lane_of_key{};  ///< index into lanes
  double lane_height = 0;
  double lanes_top = 0;   ///< from the row's top
  double row_height = 0;  ///< without the time labels
  double row_step = 0;
  double top = 0;  ///< of the first row
  double height = 0;

  [[nodiscard]] double units_per_second() const { return (right - left) / row_seconds; }
  [[nodiscard]] double row_top(int row) const { return top + row * row_step; }
  [[nodiscard]] double x(double seconds_into_row) const { return left + seconds_into_row * units_per_second(); }
  [[nodiscard]] double key_top(int pitch) const { return (high - pitch) * key_height; }
  [[nodiscard]] std::string time(double at) const { return time_text(at, seconds > 90); }
};

double onset_of(const Note& note) {
  return std::max(0.0, to_seconds(note.onset).count());
}
double end_of(const Note& note) {
  return onset_of(note) + std::max(0.0, to_seconds(note.duration).count());
}

double rounded_up(double value, double unit) {
  return std::ceil(value / unit - 1e-9) * unit;
}

void lay_out_time(Layout& layout) {
  const double seconds = layout.seconds;
  if (seconds <= kSingleRowMax) {
    layout.row_seconds = std::max(4.0, rounded_up(seconds, 1));
    return;
  }
  // Rows of equal length, so that the last one is not a stub.
  layout.rows = static_cast<int>(std::min<double>(kMaxRows, std::ceil(seconds / kSecondsPerRow)));
  double unit = 5;
  while (unit * 200 < seconds / layout.rows) unit *= 2;
  layout.row_seconds = rounded_up(seconds / layout.rows, unit);
  layout.rows = static_cast<int>(std::ceil(seconds / layout.row_seconds - 1e-9));
}

void lay_out_drums(Layout& layout, const std::bitset<128>& used) {
  if (used.none()) return;
  const std::size_t most_named = layout.rows == 1 ? 12 : 7;
  const bool named = used.count() <= most_named;
  for (std::size_t family = 0; family < kDrumFamilyNames.size(); ++family) {
    bool has_lane = false;
    for (int pitch = 127; pitch >= 0; --pitch) {
      if (!used.test(static_cast<std::size_t>(pitch)) || drum_family(pitch) != family) continue;
      if (named) {
        layout.lanes.push_back(drum_name(pitch));
      } else if (!has_lane) {
        layout.lanes.emplace_back(kDrumFamilyNames[family]);
      }
      has_lane = true;
      layout.lane_of_key[static_cast<std::size_t>(pitch)] = static_cast<int>(layout.lanes.size()) - 1;
    }
  }
  layout.lane_height = !layout.keys ? 22 : layout.rows == 1 ? 14 : 12;
}

/// All but the vertical position, which depends on the height of the legend.
Layout lay_out(std::span<const Note> notes, std::optional<double> prompt_end) {
  Layout layout;
  std::bitset<128> drum_keys;
  int low = 127, high = 0;
  for (const Note& note : notes) {
    MIDINF_ASSERT(note.instrument < kInstruments && note.pitch < 128);
    layout.seconds = std::max(layout.seconds, end_of(note));
    if (note.instrument == kDrums) {
      drum_keys.set(note.pitch);
    } else {
      low = std::min<int>(low, note.pitch);
      high = std::max<int>(high, note.pitch);
    }
  }
  // A prompt without notes after it still ends inside the picture, if only just.
  if (prompt_end && *prompt_end <= layout.seconds + 1) layout.seconds = std::max(layout.seconds, *prompt_end);
  lay_out_time(layout);

  layout.keys = low <= high || drum_keys.none();
  if (layout.keys) {
    if (low > high) low = high = 60;
    // At least two octaves, with a little air, and never a huge key for a short scale.
    layout.low = std::max(0, low - 2);
    layout.high = std::min(127, high + 2);
    while (layout.high - layout.low < 24) {
      layout.low = std::max(0, layout.low - 1);
      layout.high = std::min(127, layout.high + 1);
    }
    const double count = layout.high - layout.low + 1;
    layout.key_height = layout.rows == 1 ? std::clamp(430 / count, 3.4, 9.0) : std::clamp(260 / count, 2.6, 5.0);
    layout.lanes_top = count * layout.key_height;
  }
  lay_out_drums(layout, drum_keys);
  if (layout.keys && !layout.lanes.empty()) layout.lanes_top += 6;
  layout.left = kMargin + (layout.lanes.empty() ? 60 : 92);
  layout.row_height = layout.lanes_top + static_cast<double>(layout.lanes.size()) * layout.lane_height;
  layout.row_step = layout.row_height + (layout.rows == 1 ? 30 : 38);
  return layout;
}

// --- Instruments ----------------------------------------------------------------------------------------------------

struct Instrument {
  int number = 0;
  std::int64_t notes = 0;
  double mean_ticks = 0;
  int low = 127, high = 0;
  int order = 0;  ///< of drawing: long notes first, so that short ones lie on top
  Paint paint;
};

/// The instruments that play, most notes first, drums last.
std::vector<Instrument> list_instruments(std::span<const Note> notes) {
  std::array<Instrument, kInstruments> all{};
  for (const Note& note : notes) {
    Instrument& instrument = all[note.instrument];
    instrument.number = note.instrument;
    ++instrument.notes;
    // Whole numbers: the order of the notes must not round the sum differently.
    instrument.mean_ticks += static_cast<double>(std::max<std::int64_t>(0, note.duration.count()));
    instrument.low = std::min<int>(instrument.low, note.pitch);
    instrument.high = std::max<int>(instrument.high, note.pitch);
  }
  std::vector<Instrument> list;
  for (Instrument& instrument : all) {
    if (instrument.notes == 0) continue;
    instrument.mean_ticks /= static_cast<double>(instrument.notes);
    list.push_back(instrument);
  }
  std::ranges::sort(list, {}, [](const Instrument& i) { return std::tuple(i.number == kDrums, -i.notes, i.number); });

  std::vector<int> numbers;
  for (const Instrument& instrument : list) numbers.push_back(instrument.number);
  std::vector<Paint> paints = choose_paints(numbers);
  for (std::size_t i = 0; i < list.size(); ++i) list[i].paint = std::move(paints[i]);

  std::vector<Instrument*> longest_first;
  for (Instrument& instrument : list) longest_first.push_back(&instrument);
  std::ranges::sort(longest_first, {}, [](const Instrument* i) { return std::pair(-i->mean_ticks, i); });
  for (int order = 0; Instrument * instrument : longest_first) instrument->order = order++;
  return list;
}

// --- Shapes ---------------------------------------------------------------------------------------------------------

constexpr std::size_t kRoundedMax = 8000;  // shapes; beyond it notes are plain strokes, merged where they touch
constexpr std::size_t kShapesMax = 50000;
constexpr int kMaxInset = 2;

int to_tenths(double units) {
  return static_cast<int>(std::lround(units * 10));
}

/// One note, or the part of it that lies in one row. Tenths of a unit; y is the middle.
struct Shape {
  int x = 0, y = 0, width = 0;
  auto operator<=>(const Shape&) const = default;
};

/// Shapes drawn alike. The order of keys is the order of drawing.
struct LayerKey {
  int order = 0;  ///< the instrument's
  int inset = 0;  ///< how many other instruments hold the same key below: drawn thinner, so that both show
  int loudness = 0;
  auto operator<=>(const LayerKey&) const = default;
};

int loudness_of(const Note& note) {
  return note.velocity <= 45 ? 0 : note.velocity <= 72 ? 1 : note.velocity <= 104 ? 2 : 3;
}
constexpr std::array<std::string_view, 4> kOpacity = {".62", ".78", ".9", "1"};

/// For each note, how many instruments drawn earlier sound on the same pitch at the same time (at most kMaxInset).
std::vector<int> find_insets(std::span<const Note> notes, const std::array<int, kInstruments>& draw_order) {
  std::vector<std::size_t> sorted(notes.size());
  std::iota(sorted.begin(), sorted.end(), std::size_t{0});
  const auto key = [&](std::size_t i) {
    const Note& note = notes[i];
    return std::tuple(note.pitch, note.onset, draw_order[note.instrument], note.duration, note.velocity);
  };
  std::ranges::sort(sorted, {}, key);
  std::vector<int> insets(notes.size(), 0);
  std::vector<std::size_t> sounding;  // of one pitch, the last note of each instrument
  int pitch = -1;
  for (const std::size_t i : sorted) {
    if (notes[i].instrument == kDrums) continue;
    if (notes[i].pitch != pitch) sounding.clear();
    pitch = notes[i].pitch;
    const double onset = onset_of(notes[i]);
    std::erase_if(sounding, [&](std::size_t s) {
      return end_of(notes[s]) <= onset || notes[s].instrument == notes[i].instrument;
    });
    const int order = draw_order[notes[i].instrument];
    for (const std::size_t s : sounding)
      if (draw_order[notes[s].instrument] < order) insets[i] = std::min(insets[i] + 1, kMaxInset);
    for (const std::size_t s : sounding)
      if (draw_order[notes[s].instrument] > order) insets[s] = std::min(std::max(insets[s], insets[i] + 1), kMaxInset);
    sounding.push_back(i);
  }
  return insets;
}

/// What is drawn, and how.
struct Drawing {
  std::map<LayerKey, std::vector<Shape>> layers;
  std::size_t every = 1;  ///< of the shapes, one in so many is kept
  bool rounded = true;
};

/// Sorts by key and time, and makes one of shapes that touch or overlap.
void merge_touching(std::vector<Shape>& shapes) {
  std::ranges::sort(shapes, {}, [](const Shape& s) { return std::tuple(s.y, s.x, s.width); });
  std::size_t kept = 0;
  for (std::size_t i = 1; i < shapes.size(); ++i) {
    Shape& last = shapes[kept];
    if (shapes[i].y == last.y && shapes[i].x <= last.x + last.width + 2) {
      last.width = std::max(last.width, shapes[i].x + shapes[i].width - last.x);
    } else {
      shapes[++kept] = shapes[i];
    }
  }
  shapes.resize(kept + 1);
}

void keep_every(std::vector<Shape>& shapes, std::size_t step) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < shapes.size(); i += step) shapes[kept++] = shapes[i];
  shapes.resize(kept);
}

/// Cuts the notes at the rows' ends and sorts the parts into layers.
Drawing place_notes(std::span<const Note> notes, const std::vector<Instrument>& instruments, const Layout& layout) {
  std::array<int, kInstruments> draw_order{};
  for (const Instrument& instrument : instruments)
    draw_order[static_cast<std::size_t>(instrument.number)] = instrument.order;
  const std::vector<int> insets = find_insets(notes, draw_order);
  Drawing drawing;
  drawing.rounded = notes.size() <= kRoundedMax;
  for (std::size_t i = 0; i < notes.size(); ++i) {
    const Note& note = notes[i];
    const bool drum = note.instrument == kDrums;
    const double onset = onset_of(note);
    const double end = drum ? onset : end_of(note);
    const double middle = drum ? layout.lanes_top + (layout.lane_of_key[note.pitch] + 0.5) * layout.lane_height
                               : layout.key_top(note.pitch) + layout.key_height / 2;
    std::vector<Shape>& shapes =
        drawing.layers[{draw_order[note.instrument], insets[i], drawing.rounded ? loudness_of(note) : 3}];
    const int first = std::clamp(static_cast<int>(onset / layout.row_seconds), 0, layout.rows - 1);
    for (int row = first; row < layout.rows; ++row) {
      const double row_start = row * layout.row_seconds;
      if (row > first && end <= row_start) break;
      const int x = to_tenths(layout.x(std::max(0.0, onset - row_start)));
      const int x_end = to_tenths(layout.x(std::min(layout.row_seconds, end - row_start)));
      // A sliver is left free before the next note of the same key; nothing gets too thin to see.
      const int width = drum ? (layout.rows == 1 ? 20 : 14) : std::max(x_end - x - 6, drawing.rounded ? 16 : 10);
      shapes.push_back({x, to_tenths(layout.row_top(row) + middle), width});
    }
  }
  std::size_t count = 0;
  for (auto& [key, shapes] : drawing.layers) {
    if (drawing.rounded)
      std::ranges::sort(shapes);
    else
      merge_touching(shapes);
    count += shapes.size();
  }
  drawing.every = std::max<std::size_t>(1, (count + kShapesMax - 1) / kShapesMax);
  if (drawing.every > 1)
    for (auto& [key, shapes] : drawing.layers) keep_every(shapes, drawing.every);
  return drawing;
}

/// Appends `tenths` / 10 in the shortest form, parted from a number before it.
void put(std::string& out, int tenths) {
  if (tenths < 0) {
    out += '-';
    tenths = -tenths;
  } else if (!out.empty() && out.back() >= '0' && out.back() <= '9') {
    out += ' ';
  }
  if (tenths >= 10 || tenths == 0) fmt::format_to(std::back_inserter(out), "{}", tenths / 10);
  if (tenths % 10 != 0) fmt::format_to(std::back_inserter(out), ".{}", tenths % 10);
}

/// Rectangles of one height; half the rounding lies outside them, where the stroke is.
std::string rounded_path(std::span<const Shape> shapes, int height, int rounding) {
  std::string d;
  int from_x = 0, from_y = 0;
  for (const Shape& shape : shapes) {
    const int r = std::min({rounding, shape.width, height});
    const int x = shape.x + r / 2, y = shape.y - (height - r) / 2, w = shape.width - r, h = height - r;
    d += d.empty() ? 'M' : 'm';
    put(d, x - from_x);
    put(d, y - from_y);
    d += 'h';
    put(d, w);
    d += 'v';
    put(d, h);
    d += 'h';
    put(d, -w);
    d += 'z';
    from_x = x;
    from_y = y;
  }
  return d;
}

std::string plain_path(std::span<const Shape> shapes) {
  std::string d;
  int from_x = 0, from_y = 0;
  for (const Shape& shape : shapes) {
    d += d.empty() ? 'M' : 'm';
    put(d, shape.x - from_x);
    put(d, shape.y - from_y);
    d += 'h';
    put(d, shape.width);
    from_x = shape.x + shape.width;
    from_y = shape.y;
  }
  return d;
}

// --- Document -------------------------------------------------------------------------------------------------------

class Document {
 public:
  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
  }
  /// The same and a line break, where a reader of the file wants one.
  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    add(format, std::forward<Args>(args)...);
    text_ += '\n';
  }
  void append(std::string_view text) { text_ += text; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

/// Places the legend's entries from `top` on, wrapping; returns the bottom of the last line.
double draw_legend(Document& out, std::span<const Instrument> instruments, double top) {
  const bool many = instruments.size() > 24;
  const double size = many ? 11.5 : 13, line = many ? 19 : 24;
  double x = kMargin, y = top;
  for (const Instrument& instrument : instruments) {
    const std::string_view name = instrument_name(instrument.number);
    const std::string count = with_commas(instrument.notes);
    // No font is known here: reckon with a wide one.
    const double width =
        19 + static_cast<double>(name.size()) * size * 0.56 + 7 + static_cast<double>(count.size()) * 7.5;
    if (x > kMargin && x + width > kWidth - kMargin) {
      x = kMargin;
      y += line;
    }
    out.add(R"(<rect x="{:.1f}" y="{:.1f}" width="12" height="12" rx="3.5" fill="{}"/>)", x, y - 6,
            instrument.paint.fill);
    out.add(R"(<text x="{:.1f}" y="{:.1f}" font-size="{}" fill="{}">{}<tspan dx="6" font-size="11" )"
            R"(fill="{}">{}</tspan></text>)",
            x + 19, y + 4.5, size, kText, name, kTextMuted, count);
    x += width + 22;
  }
  return y + line / 2;
}

/// What is the same in every row: keyboard, key rows, note names, drum lanes. y runs from the row's top.
void define_row(Document& out, const Layout& layout) {
  const double width = layout.right - layout.left;
  out.add(R"(<g id="mr-row">)");
  if (layout.keys) {
    const double height = layout.key_top(layout.low - 1);
    const double keys_left = layout.left - kKeyboard - 3;
    out.add(R"(<rect x="{:.1f}" width="{:.1f}" height="{:.1f}" rx="3" fill="{}"/>)", layout.left, width, height,
            kRollBack);
    out.add(R"(<rect x="{:.1f}" width="{}" height="{:.1f}" rx="2" fill="#b9c0cf"/>)", keys_left, kKeyboard, height);
    std::string rows, blacks, octaves, gaps;
    const auto at = [](double x, double y) { return fmt::format("M{:.1f} {:.1f}", x, y); };
    for (int pitch = layout.low; pitch <= layout.high; ++pitch) {
      const double y = layout.key_top(pitch), bottom = y + layout.key_height;
      if (is_black_key(pitch)) {
        rows += at(layout.left, y) + fmt::format("h{:.1f}v{:.1f}h-{:.1f}z", width, layout.key_height, width);
        blacks +=
            at(keys_left, y) + fmt::format("h{}v{:.1f}h-{}z", kKeyboard * 0.6, layout.key_height, kKeyboard * 0.6);
        // White keys meet behind the middle of the black one.
        gaps += at(keys_left + kKeyboard * 0.6, y + layout.key_height / 2) + fmt::format("h{:.1f}", kKeyboard * 0.4);
      } else if (pitch > layout.low && (pitch % 12 == 0 || pitch % 12 == 5)) {
        gaps += at(keys_left, bottom) + fmt::format("h{}", kKeyboard);
      }
      if (pitch % 12 == 0) {
        if (pitch > layout.low) octaves += at(layout.left, bottom) + fmt::format("h{:.1f}", width);
        out.add(R"(<text x="{:.1f}" y="{:.1f}" font-size="11" fill="{}" text-anchor="end">{}</text>)", keys_left - 6,
                y + layout.key_height / 2 + 4, kTextMuted, note_name(pitch));
      }
    }
    out.add(R"(<path fill="{}" d="{}"/>)", kBlackKeyRow, rows);
    out.add(R"(<path stroke="{}" d="{}"/>)", kLineStrong, octaves);
    out.add(R"(<path stroke="#8a92a5" stroke-width=".6" d="{}"/><path fill="#20242f" d="{}"/>)", gaps, blacks);
  }
  if (!layout.lanes.empty()) {
    const double height = layout.row_height - layout.lanes_top;
    out.add(R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="3" fill="{}"/>)", layout.left,
            layout.lanes_top, width, height, kRollBack);
    const double size = std::min(12.0, layout.lane_height - 2.5);
    for (std::size_t i = 0; i < layout.lanes.size(); ++i) {
      const double y = layout.lanes_top + static_cast<double>(i) * layout.lane_height;
      if (i > 0) out.add(R"(<path stroke="{}" d="M{:.1f} {:.1f}h{:.1f}"/>)", kLineWeak, layout.left, y, width);
      out.add(R"(<text x="{:.1f}" y="{:.1f}" font-size="{}" fill="{}" text-anchor="end">{}</text>)", layout.left - 8,
              y + layout.lane_height / 2 + size * 0.36, size, kTextMuted, layout.lanes[i]);
    }
  }
  out.add("</g>");
}

/// The lines of time: labelled ones, weak ones between them.
void draw_time(Document& out, const Layout& layout) {
  const auto [step, minor] = time_grid(layout.units_per_second());
  std::string strong, weak;
  for (int row = 0; row < layout.rows; ++row) {
    const double start = row * layout.row_seconds, top = layout.row_top(row);
    const double first = std::ceil(start / minor - 1e-9);
    for (int i = 0;; ++i) {
      const double seconds = (first + i) * minor;
      if (seconds > start + layout.row_seconds + 1e-9) break;
      const double x = layout.x(seconds - start);
      const double steps = seconds / step;
      const bool labelled = std::abs(steps - std::round(steps)) < 1e-6;
      fmt::format_to(std::back_inserter(labelled ? strong : weak), "M{:.1f} {:.1f}v{:.1f}", x, top, layout.row_height);
      if (!labelled) continue;
      const std::string label = layout.time(seconds);
      // The last label of a row must not run off the page.
      const double x_most = kWidth - 8 - static_cast<double>(label.size()) * 3.4;
      out.add(R"(<text x="{:.1f}" y="{:.1f}">{}</text>)", std::min(x, x_most), top + layout.row_height + 16, label);
    }
  }
  out.add(R"(<path stroke="{}" d="{}"/><path stroke="{}" d="{}"/>)", kLineWeak, weak, kLineStrong, strong);
}

void draw_prompt(Document& out, const Layout& layout, double prompt_end) {
  for (int row = 0; row < layout.rows; ++row) {
    const double start = row * layout.row_seconds, top = layout.row_top(row);
    const double end = std::min(layout.row_seconds, prompt_end - start);
    if (end < 0 || (end == 0 && row > 0)) continue;
    out.add(R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="#fff" opacity=".06"/>)", layout.left,
            top, layout.x(end) - layout.left, layout.row_height);
    if (prompt_end > start + layout.row_seconds) continue;
    const double x = layout.x(end);
    const bool at_right = x > kWidth - 160;
    out.add(R"(<path stroke="{}" stroke-width="1.4" stroke-dasharray="5 3" d="M{:.1f} {:.1f}v{:.1f}"/>)", kTextStrong,
            x, top - 14, layout.row_height + 14);
    out.add(R"(<text x="{:.1f}" y="{:.1f}" font-size="12" fill="{}" text-anchor="{}">prompt ends here</text>)",
            at_right ? x - 7 : x + 7, top - 5, kTextStrong, at_right ? "end" : "start");
  }
}

void draw_notes(Document& out, const Drawing& drawing, const std::vector<Instrument>& instruments,
                const Layout& layout) {
  Document defs, glow, notes;
  int index = 0;
  for (const auto& [key, shapes] : drawing.layers) {
    const Instrument& instrument = *std::ranges::find(instruments, key.order, &Instrument::order);
    const std::string& fill = instrument.paint.fill;
    const bool drum = instrument.number == kDrums;
    double height = drum ? layout.lane_height - 4 : std::max(layout.key_height - 0.6, 2.4);
    for (int i = 0; i < key.inset; ++i) height = std::max(height * 0.55, 1.2);
    const int tenths = to_tenths(height);
    const std::string_view opacity = kOpacity[static_cast<std::size_t>(key.loudness)];
    if (!drawing.rounded) {
      notes.line(R"(<path stroke="{}" stroke-width="{:.1f}" opacity="{}" d="{}"/>)", fill, height, opacity,
                 plain_path(shapes));
      continue;
    }
    const int rounding = std::min(tenths, layout.rows == 1 ? 24 : 16);
    defs.line(R"(<path id="mr-n{}" d="{}"/>)", index, rounded_path(shapes, tenths, rounding));
    glow.add(R"(<use href="#mr-n{}" fill="{}"/>)", index, fill);
    // The stroke of the note's own colour rounds its corners; a wider one of the background's sets it off.
    notes.line(R"(<use href="#mr-n{0}" stroke="{1}" stroke-width="{2:.1f}"/><use href="#mr-n{0}" fill="{3}" )"
               R"(stroke="{3}" stroke-width="{4:.1f}" opacity="{5}"/>)",
               index, kPage, rounding / 10.0 + (layout.rows == 1 ? 1.2 : 0.8), fill, rounding / 10.0, opacity);
    ++index;
  }
  out.line("<defs>{}</defs>", defs.take());
  if (drawing.rounded && layout.rows == 1)
    out.line(R"svg(<filter id="mr-blur" color-interpolation-filters="sRGB"><feGaussianBlur )svg"
             R"svg(stdDeviation="6"/></filter><g filter="url(#mr-blur)" opacity=".45">{}</g>)svg",
             glow.take());
  out.line(R"(<g stroke-linejoin="round">{}</g>)", notes.take());
}

std::string describe(std::span<const Instrument> instruments, std::size_t notes, const Drawing& drawing,
                     const Layout& layout) {
  if (notes == 0) return "A piano roll without notes.";
  std::string text =
      fmt::format("{} in {}, time from left to right", counted(notes, "note"), layout.time(layout.seconds));
  text += layout.rows > 1 ? fmt::format(" in {} rows. ", layout.rows) : ". ";
  for (const Instrument& instrument : instruments) {
    text += fmt::format("{}: {}", instrument_name(instrument.number), counted(instrument.notes, "note"));
    text += instrument.number == kDrums
                ? ". "
                : fmt::format(", {} to {}. ", note_name(instrument.low), note_name(instrument.high));
  }
  if (!drawing.rounded) text += "Notes that touch are drawn as one. ";
  if (drawing.every > 1) text += fmt::format("One in {} is drawn. ", drawing.every);
  text.pop_back();
  return text;
}

}  // namespace

std::string roll_svg(std::span<const Note> notes, const RollOptions& options) {
  std::optional<double> prompt_end;
  if (options.prompt_end) prompt_end = std::max(0.0, to_seconds(*options.prompt_end).count());
  Layout layout = lay_out(notes, prompt_end);
  const std::vector<Instrument> instruments = list_instruments(notes);
  Document legend;
  const double legend_bottom = instruments.empty() ? 60 : draw_legend(legend, instruments, 76);
  const bool marked = prompt_end && *prompt_end <= layout.rows * layout.row_seconds;
  layout.top = std::round(legend_bottom + (marked ? 24 : 14));
  layout.height = std::ceil(layout.row_top(layout.rows - 1) + layout.row_height + 34);
  const Drawing drawing = place_notes(notes, instruments, layout);

  const std::string_view title = options.title.empty() ? "Piano roll" : std::string_view(options.title);
  Document out;
  out.line(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" )"
           R"(aria-labelledby="mr-title mr-desc" fill="none" )"
           R"(font-family="ui-sans-serif,system-ui,-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif">)",
           kWidth, layout.height);
  out.line(R"(<title id="mr-title">{}</title>)", xml_text(title, 200));
  out.line(R"(<desc id="mr-desc">{}</desc>)", describe(instruments, notes.size(), drawing, layout));
  out.add("<defs>");
  for (const Instrument& instrument : instruments) out.append(instrument.paint.pattern);
  define_row(out, layout);
  out.line("</defs>");
  out.line(R"(<rect x=".5" y=".5" width="{}" height="{}" rx="14" fill="{}" stroke="#2b3140"/>)", kWidth - 1,
           layout.height - 1, kPage);
  out.line(R"(<text x="{}" y="46" font-size="21" font-weight="600" fill="{}">{}</text>)", kMargin, kTextStrong,
           xml_text(title, 58));
  std::string facts = counted(notes.size(), "note");
  if (!notes.empty())
    facts = fmt::format("{} · {} · {}", layout.time(layout.seconds), counted(instruments.size(), "instrument"), facts);
  out.line(R"(<text x="{}" y="45" font-size="13" fill="{}" text-anchor="end">{}</text>)", kWidth - kMargin, kTextMuted,
           facts);
  out.append(legend.take());
  for (int row = 0; row < layout.rows; ++row) out.add(R"(<use href="#mr-row" y="{:.1f}"/>)", layout.row_top(row));
  out.add(R"(<g font-size="11" fill="{}" text-anchor="middle">)", kTextMuted);
  draw_time(out, layout);
  out.line("</g>");
  if (marked) draw_prompt(out, layout, *prompt_end);
  draw_notes(out, drawing, instruments, layout);
  if (notes.empty())
    out.line(R"(<text x="{:.1f}" y="{:.1f}" font-size="15" fill="{}" text-anchor="middle">no notes</text>)",
             (layout.left + layout.right) / 2, layout.top + layout.row_height / 2 + 5, kTextMuted);
  out.line("</svg>");
  return out.take();
}

}  // namespace midinf::cli

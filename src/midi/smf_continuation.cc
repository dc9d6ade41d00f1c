// Where a reader's sum of doubles is cut shows in its last bit, and at a half of a step (120 ticks of 480 are twelve
// and a half) in a note's duration. So each new event looks for a tick, near the one that is nearest, after which the
// sum at the prompt's next event is what it was without it. Read next: smf_tracks.cc (MergedTracks), the sum meant
// here.
#include "midi/smf_continuation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <tuple>

#include "midi/note_tracks.h"
#include "midi/smf_tracks.h"

namespace midinf {
namespace {

constexpr double kShortestTick = 1e-6;  // seconds; shorter ones would need bridges of empty texts without end
constexpr std::size_t kMostFileTracks = 65'535;

// A tick at which the prompt has events, the reader's sum there, and how long a tick is from there on.
struct Point {
  std::int64_t tick = 0;
  double seconds = 0;
  double seconds_per_tick = 0;
};

// What the prompt does from its last note-on: before that no new note begins.
struct Tail {
  std::vector<Point> points;        // at least one; the first is the last note-on
  std::vector<PromptEvent> events;  // after it
  Channels channels;                // as they are at it
  std::int64_t last_tick = 0;       // of the whole file
  bool has_notes = false;
  bool needs_tempo = false;  // after the last point
};

Result<Tail> read_tail(const SmfFile& file) {
  MergedTracks merged(file);
  Tail tail;
  tail.points.push_back({0, 0, merged.seconds_per_tick()});
  while (true) {
    MIDINF_TRY_ASSIGN(event, merged.next());
    if (!event) break;
    tail.last_tick = std::max(tail.last_tick, event->tick);
    if (event->message.kind == Message::Kind::kEndOfTrack) continue;  // no part of the sum
    const Point point{event->tick, event->seconds, merged.seconds_per_tick()};
    if (event->message.kind == Message::Kind::kNoteOn) {
      for (const PromptEvent& earlier : tail.events) tail.channels.hear(earlier.message);
      tail.channels.hear(event->message);
      tail.events.clear();
      tail.points.assign(1, point);
      tail.has_notes = true;
      continue;
    }
    if (event->message.on_channel()) tail.events.push_back({event->tick, event->message});
    if (tail.points.back().tick == point.tick)
      tail.points.back() = point;
    else
      tail.points.push_back(point);
  }
  Point& last = tail.points.back();
  tail.needs_tempo = last.seconds_per_tick < kShortestTick;
  if (tail.needs_tempo) last.seconds_per_tick = file.division.seconds_per_tick_at(kDefaultTempo);
  return tail;
}

// Finds ticks for times, in ascending order of time, in a file whose ticks are `scale` times as fine as the prompt's.
class Placer {
 public:
  Placer(const Tail& tail, std::int64_t scale) : points_(tail.points) {
    for (Point& point : points_) {
      point.tick *= scale;
      point.seconds_per_tick /= static_cast<double>(scale);
    }
    here_ = points_.front();
  }

  // The tick nearest to `seconds` that is no earlier than `earliest` and than the one found before, whose sum of
  // seconds is `good` and which leaves the prompt's sums alone. If there is none, the nearest that does the latter, if
  // there is one, and `exact` becomes false.
  template <class Good>
  Point place(double seconds, std::int64_t earliest, Good good) {
    earliest = std::max(earliest, here_.tick);
    const Point& from =
        *std::prev(std::ranges::upper_bound(points_.begin() + 1, points_.end(), seconds, {}, &Point::seconds));
    const double distance = from.seconds_per_tick > 0 ? (seconds - from.seconds) / from.seconds_per_tick : 0;
    const std::int64_t nearest = std::max<std::int64_t>(from.tick + std::llround(distance), earliest);
    std::optional<Point> fair;
    for (std::int64_t d = 0; d <= kFarthest; ++d) {
      for (const std::int64_t tick : {nearest + d, nearest - d}) {
        if (tick < earliest) continue;
        const auto [point, harmless] = at(tick);
        if (harmless && good(point.seconds)) return here_ = point;
        if (harmless && !fair) fair = point;
      }
    }
    exact = false;
    return here_ = fair ? *fair : at(nearest).first;
  }

  bool exact = true;

 private:
  static constexpr std::int64_t kFarthest = 64;

  // A reader's sum at `tick`, and whether a cut there leaves the sum at the prompt's next event as it is.
  [[nodiscard]] std::pair<Point, bool> at(std::int64_t tick) const {
    const auto next = std::ranges::upper_bound(points_, tick, {}, &Point::tick);
    const Point& before = *std::prev(next);
    const Point& base = before.tick > here_.tick ? before : here_;
    const auto later = [&](const Point& point, std::int64_t t) {
      return t > point.tick ? point.seconds + static_cast<double>(t - point.tick) * before.seconds_per_tick
                            : point.seconds;
    };
    const Point point{tick, later(base, tick), before.seconds_per_tick};
    return {point, next == points_.end() || later(point, next->tick) == next->seconds};
  }

  std::vector<Point> points_;
  Point here_;  // where the event before stands
};

// When the notes end that the prompt still holds where the new music begins.
class HeldKeys {
 public:
  explicit HeldKeys(const Tail& tail) : now_(tail.channels), later_(tail.channels) {
    for (const auto& [tick, message] : tail.events)
      if (const int instrument = later_.hear(message); instrument != Channels::kNothing)
        ends_[{message.channel, instrument, message.first}] = tick;
  }

  // The prompt's tick before which no note-off of the key may stand; kNever if none may; 0 if there is nothing to heed.
  [[nodiscard]] std::int64_t until(int instrument, int pitch) const {
    if (instrument == kDrums) return until(kDrumChannel, instrument, pitch);
    std::int64_t latest = 0;
    for (int c = 0; c < kChannels; ++c) {
      if (c == kDrumChannel) continue;
      if (now_.open_notes(c, instrument) == 0) return 0;  // Channels chooses it
      latest = std::max(latest, until(c, instrument, pitch));
    }
    return latest;
  }

 private:
  [[nodiscard]] std::int64_t until(int channel, int instrument, int pitch) const {
    if (later_.open_notes(channel, instrument, pitch) != 0) return PlacedNote::kNever;
    const auto end = ends_.find({channel, instrument, pitch});
    return end == ends_.end() ? 0 : end->second;
  }

  Channels now_, later_;                                    // at the prompt's last note-on, and when it is over
  std::map<std::tuple<int, int, int>, std::int64_t> ends_;  // of the last note of a channel, instrument and pitch
};

struct Placement {
  std::vector<PlacedNote> notes;
  bool exact = true;
};

// One end of a note, in milliseconds. A note of no length sounds about one of them, as in write_midi.
struct End {
  std::int64_t milliseconds;
  bool on;
  std::size_t note;

  auto operator<=>(const End&) const = default;  // at one time the offs first
};

Placement place(std::span<const Note* const> notes, const Tail& tail, const HeldKeys& held, std::int64_t scale) {
  constexpr std::int64_t kMillisecondsPerStep = 1000 / kTicksPerSecond;
  Placement placement;
  std::vector<End> ends;
  struct Bound {
    std::int64_t tick;
    bool longer;  // than the note was meant to be
  };
  std::vector<Bound> bounds;  // for the note-offs
  ends.reserve(2 * notes.size());
  for (const Note* note : notes) {
    const std::int64_t on = note->onset.count() * kMillisecondsPerStep;
    std::int64_t off = on + std::max<std::int64_t>(note->duration.count() * kMillisecondsPerStep, 1);
    Bound bound{held.until(note->instrument, note->pitch), false};
    ends.push_back({on, true, placement.notes.size()});
    if (bound.tick != PlacedNote::kNever) {
      const double prompt_ends = std::ranges::lower_bound(tail.points, bound.tick, {}, &Point::tick)->seconds;
      bound.longer = bound.tick != 0 && prompt_ends * 1000 > static_cast<double>(off);
      if (bound.longer) off = static_cast<std::int64_t>(std::ceil(prompt_ends * 1000));
      ends.push_back({off, false, placement.notes.size()});
      bound.tick *= scale;
    }
    bounds.push_back(bound);
    placement.notes.push_back({note, 0, PlacedNote::kNever});
  }
  std::ranges::sort(ends);

  Placer placer(tail, scale);
  std::vector<double> began(notes.size());
  for (const End& end : ends) {
    PlacedNote& placed = placement.notes[end.note];
    const Note& note = *placed.note;
    const double seconds = static_cast<double>(end.milliseconds) / 1000;
    if (end.on) {
      const Point point = placer.place(seconds, 0, [&](double s) { return to_steps(s) == note.onset; });
      placed.on = point.tick;
      began[end.note] = point.seconds;
    } else {
      const auto& [earliest, longer] = bounds[end.note];
      const auto good = [&](double s) { return longer || to_steps(s - began[end.note]) == note.duration; };
      placed.off = placer.place(seconds, std::max(placed.on + 1, earliest), good).tick;
    }
  }
  placement.exact = placer.exact;
  return placement;
}

// The division `scale` times as fine, if the file has room for it.
std::optional<std::uint16_t> scaled(const Division& division, const Tail& tail, std::int64_t scale) {
  const bool smpte = division.ticks_per_beat == 0;
  const std::int64_t ticks = (smpte ? division.word & 0xFF : division.word) * scale;
  if (ticks > (smpte ? 0xFF : 0x7FFF)) return std::nullopt;
  if (scale > 1 && tail.last_tick * scale > kMaxDelta) return std::nullopt;
  if (scale > 1 && tail.points.back().seconds_per_tick / static_cast<double>(scale) < kShortestTick)
    return std::nullopt;
  return static_cast<std::uint16_t>(smpte ? (division.word & 0xFF00) | ticks : ticks);
}

// A track's events as they stand, with their delta times multiplied.
Result<std::vector<std::byte>> copy_events(std::span<const std::byte> file, TrackReader track, std::int64_t scale) {
  std::vector<std::byte> events;
  bool ended = false;
  while (!track.at_end()) {
    const std::int64_t before = track.tick();
    MIDINF_TRY(track.read_delta());
    const std::size_t begin = track.position();
    MIDINF_TRY_ASSIGN(message, track.read_message());
    put_variable(events, static_cast<std::uint32_t>((track.tick() - before) * scale));
    const auto event = file.subspan(begin, track.position() - begin);
    events.insert(events.end(), event.begin(), event.end());
    ended = message.kind == Message::Kind::kEndOfTrack;
  }
  if (!ended) events.insert(events.end(), {std::byte{0}, std::byte{0xFF}, std::byte{0x2F}, std::byte{0}});
  return events;
}

}  // namespace

Result<WrittenMidi> continue_midi(std::span<const std::byte> prompt, std::span<const Note> notes) {
  MIDINF_TRY_ASSIGN(file, parse_smf(prompt));
  MIDINF_TRY_ASSIGN(tail, read_tail(file));
  if (file.tracks.size() > kMostFileTracks - 2)
    return fail(ErrorCode::kUnsupported,
                fmt::format("it has {} tracks and none can be added; save it with fewer", file.tracks.size()));
  const std::vector<const Note*> ordered = by_onset(notes);
  MIDINF_ASSERT(ordered.empty() || !tail.has_notes || ordered.front()->onset >= to_steps(tail.points.front().seconds));

  const HeldKeys held(tail);
  std::int64_t scale = 1;
  std::uint16_t division = file.division.word;
  Placement placement = place(ordered, tail, held, scale);
  while (!placement.exact) {
    const auto finer = scaled(file.division, tail, 2 * scale);
    if (!finer) break;
    scale *= 2;
    division = *finer;
    placement = place(ordered, tail, held, scale);
  }
  for (PromptEvent& event : tail.events) event.tick *= scale;
  const bool sets_tempo = tail.needs_tempo && !notes.empty();
  const std::size_t tracks_before = file.tracks.size() + (sets_tempo ? 1 : 0);
  NoteTracks made = make_note_tracks(placement.notes, tail.channels, tail.events, tracks_before);

  WrittenMidi written{{}, std::move(made.remark)};
  put_header(written.bytes, tracks_before + made.tracks.size(), division);
  for (const TrackReader& track : file.tracks) {
    MIDINF_TRY_ASSIGN(events, copy_events(prompt, track, scale));
    put_track(written.bytes, events);
  }
  if (sets_tempo) {
    Track conductor("midinfinite");
    conductor.tempo(tail.points.back().tick * scale, kDefaultTempo);
    put_track(written.bytes, conductor.finish());
  }
  for (Track& track : made.tracks) put_track(written.bytes, track.finish());
  return written;
}

}  // namespace midinf

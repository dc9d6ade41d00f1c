#include "make_music.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "terminal.h"
#include "tokens/triplets.h"

namespace midinf::cli {
namespace {

using Clock = std::chrono::steady_clock;

// A model may in principle draw the same instant for ever. A thousand events without a step in time (or, when notes are
// counted, without a note) are more than any music has.
constexpr int kMostEventsWithoutProgress = 1'000;

// Damaged weights, or absurd ones, make infinities of which nothing can be drawn.
bool all_finite(std::span<const float> logits) {
  return std::all_of(logits.begin(), logits.end(), [](float logit) { return std::isfinite(logit); });
}

}  // namespace

Result<Music> make_music(const MusicLength& length, Generator& generator, Decoder& decoder, const MusicWatcher& watch) {
  Music music;
  music.start = generator.now();
  music.end = music.start + to_ticks(Seconds(length.seconds));
  const LogitSource logits = [&](const LogitRequest& request) {
    const std::span<float> answer = decoder.logits(request.context, request.rows);
    return all_finite(answer) ? answer : std::span<float>{};
  };
  const auto began = Clock::now();
  const EventIndex first = generator.end_index();
  int notes = 0, without_progress = 0;
  while (!interrupted() && !(length.notes && notes >= *length.notes)) {
    const Ticks10ms before = generator.now();
    const Step step = next_event(generator, logits);
    if (step == Step::kCancelled)
      return fail(ErrorCode::kCorrupt,
                  "the model computes infinities or no numbers at all; download or convert it again");
    if (step == Step::kRecovery) {
      music.events.resize(static_cast<std::size_t>(generator.end_index() - first));
      notes = static_cast<int>(std::count_if(music.events.begin(), music.events.end(), is_note));
      continue;
    }
    const Triplet event = generator.history().back();
    if (!length.notes && onset_of(event) >= music.end) break;
    music.events.push_back(event);
    notes += is_note(event) ? 1 : 0;
    const bool moved = length.notes ? is_note(event) : onset_of(event) > before;
    without_progress = moved ? 0 : without_progress + 1;
    if ((music.stuck = without_progress >= kMostEventsWithoutProgress)) break;
    const double played = to_seconds(onset_of(event) - music.start).count();
    watch(length.notes ? static_cast<double>(notes) / *length.notes : played / length.seconds, notes, played);
  }
  music.generating_seconds = std::chrono::duration<double>(Clock::now() - began).count();
  music.ids = 3 * generator.generated();
  music.slides = generator.slides();
  music.recoveries = generator.recovery_counts();
  if (length.notes || interrupted() || music.stuck) {
    music.end = music.start;
    for (const Triplet& event : music.events) music.end = std::max(music.end, onset_of(event) + duration_of(event));
  }
  return music;
}

}  // namespace midinf::cli

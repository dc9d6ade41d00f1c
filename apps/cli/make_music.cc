#include "make_music.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "sampling/logits.h"
#include "terminal.h"
#include "tokens/triplets.h"

namespace midinf::cli {
namespace {

using Clock = std::chrono::steady_clock;

// A model may in principle draw the same instant for ever. A thousand events without a step in time (or, when notes are
// counted, without a note) are more than any music has.
constexpr int kMostEventsWithoutProgress = 1'000;

}  // namespace

MusicMaker::MusicMaker(const MusicLength& length, Generator& generator, Decoder& decoder)
    : length_(length),
      generator_(generator),
      decoder_(decoder),
      first_(generator.end_index()),
      ended_(length.notes == 0) {
  music_.start = generator.now();
  music_.end = music_.start + to_ticks(Seconds(length.seconds));
}

double MusicMaker::seconds() const {
  return music_.events.empty() ? 0 : to_seconds(onset_of(music_.events.back()) - music_.start).count();
}

double MusicMaker::fraction() const {
  return std::min(length_.notes ? static_cast<double>(notes_) / *length_.notes : seconds() / length_.seconds, 1.0);
}

void MusicMaker::take_in(std::span<float> logits) {
  const Ticks10ms before = generator_.now();
  const Step step = generator_.accept(logits);
  if (step == Step::kId) return;
  if (step == Step::kRecovery) {
    music_.events.resize(static_cast<std::size_t>(generator_.end_index() - first_));
    notes_ = static_cast<int>(std::count_if(music_.events.begin(), music_.events.end(), is_note));
    return;
  }
  const Triplet event = generator_.history().back();
  if (!length_.notes && onset_of(event) >= music_.end) {
    ended_ = true;
    return;
  }
  music_.events.push_back(event);
  notes_ += is_note(event) ? 1 : 0;
  const bool moved = length_.notes ? is_note(event) : onset_of(event) > before;
  without_progress_ = moved ? 0 : without_progress_ + 1;
  music_.stuck = without_progress_ >= kMostEventsWithoutProgress;
  ended_ = music_.stuck || (length_.notes && notes_ >= *length_.notes);
}

Result<void> MusicMaker::step(std::span<MusicMaker* const> makers) {
  const auto began = Clock::now();
  std::vector<LogitRequest> requests;
  std::vector<Decoder::Question> questions;
  for (MusicMaker* const maker : makers) requests.push_back(maker->generator_.request());
  for (std::size_t i = 0; i < makers.size(); ++i)
    questions.push_back({&makers[i]->decoder_, requests[i].context, &requests[i].rows, requests[i].guesses});
  Decoder::answer(questions);
  for (std::size_t i = 0; i < makers.size(); ++i) {
    if (questions[i].logits.empty() || !all_finite(questions[i].logits))
      return fail(ErrorCode::kCorrupt,
                  "the model computes infinities or no numbers at all; download or convert it again");
    makers[i]->take_in(questions[i].logits);
  }
  const double share = std::chrono::duration<double>(Clock::now() - began).count() / static_cast<double>(makers.size());
  for (MusicMaker* const maker : makers) maker->music_.generating_seconds += share;
  return {};
}

Music MusicMaker::finish() {
  music_.ids = 3 * generator_.generated();
  music_.slides = generator_.slides();
  music_.recoveries = generator_.recovery_counts();
  if (length_.notes || interrupted() || music_.stuck) {
    music_.end = music_.start;
    for (const Triplet& event : music_.events) music_.end = std::max(music_.end, onset_of(event) + duration_of(event));
  }
  return std::move(music_);
}

Result<Music> make_music(const MusicLength& length, Generator& generator, Decoder& decoder, const MusicWatcher& watch) {
  MusicMaker maker(length, generator, decoder);
  MusicMaker* const only[] = {&maker};
  while (!interrupted() && !maker.ended()) {
    MIDINF_TRY(MusicMaker::step(only));
    watch(maker.fraction(), maker.notes(), maker.seconds());
  }
  return maker.finish();
}

}  // namespace midinf::cli

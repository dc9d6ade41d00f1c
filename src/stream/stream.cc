#include "stream/stream.h"

#include <algorithm>

#include "sampling/logits.h"
#include "sampling/random.h"
#include "stream/saved.h"
#include "tokens/triplets.h"

namespace midinf {
namespace {

constexpr std::size_t kMostUndo = 200;
constexpr std::size_t kReadAtOnce = 16;  // ids worth a pass of their own, and few enough that nobody waits long
constexpr double kReadAheadFrom = 0.5;   // seconds that the music must be ahead
constexpr double kSilentLookAhead = 16;  // through silence the music is followed further, to find its end or its death
constexpr std::uint32_t kSeedSubstream = 0x5EED;

bool may_play(const Settings& settings, int instrument, int pitch) {
  const auto& ensemble = settings.ensemble;
  if (!ensemble.empty() && std::find(ensemble.begin(), ensemble.end(), instrument) == ensemble.end()) return false;
  if (instrument != kDrums && (settings.scale >> pitch % 12 & 1) == 0) return false;
  return std::none_of(settings.pitch_ranges.begin(), settings.pitch_ranges.end(), [=](const PitchRange& range) {
    return range.instrument == instrument && (pitch < range.lowest || pitch > range.highest);
  });
}

// Seed number `n` that descends from `seed`: below 2^53, which JSON and JavaScript hold exactly.
std::uint64_t descendant(std::uint64_t seed, std::uint32_t n) {
  const auto words =
      philox({n, 0, kSeedSubstream, 0}, {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  return (std::uint64_t{words[0]} << 32 | words[1]) >> 11;
}

Ticks10ms music_time(Seconds playing, int speed) {
  return to_ticks(Seconds(playing.count() * speed / 1000));
}

}  // namespace

Stream::Stream(std::shared_ptr<const Network> network, std::shared_ptr<ComputePool> pool, Settings settings,
               Prompt prompt, StreamOptions options)
    : Stream(std::move(network), std::move(pool), Generator(std::move(settings), std::move(prompt)), options) {}

Stream::Stream(std::shared_ptr<const Network> network, std::shared_ptr<ComputePool> pool, Generator generator,
               StreamOptions options)
    : options_(options),
      network_(std::move(network)),
      pool_(std::move(pool)),
      decoder_(network_, pool_),
      generator_(std::move(generator)),
      music_start_(generator_.now()),
      pulled_(music_start_),
      next_out_(generator_.end_index()),
      seek_target_(pulled_),
      reach_out_(pulled_) {
  decoder_.set_cancel(&cancel_);
}

Stream::~Stream() = default;

// ---- playing

Ticks10ms Stream::playhead_now() const {
  if (scheduler_ == nullptr) return pulled_;
  // The scheduler's clock counts once it has obeyed the last seek (scheduler.h, seeks).
  return scheduler_->seeks() < seeks_ || seek_pending_ ? seek_target_ : scheduler_->playhead();
}

// Nothing after the playhead has been heard, and nothing comes before somebody lets it play on.
bool Stream::stands() const {
  return !controls_.playing.load() && (scheduler_ == nullptr || scheduler_->state() == Scheduler::State::kPaused);
}

Ticks10ms Stream::change_time() const {
  if (stands()) return std::max(playhead_now(), music_start_);
  const int speed = std::clamp(controls_.speed.load(), LiveControls::kMinSpeed, LiveControls::kMaxSpeed);
  return std::max(playhead_now() + music_time(options_.reaction, speed), music_start_);
}

// What is not generated yet begins where the music ends: later would leave a hole, and changes in quick succession,
// from a slider that is being dragged, would put the music off for ever.
Stream::Place Stream::place_of(Ticks10ms time) const {
  const EventIndex first = std::min(generator_.prompt_end(), generator_.end_index());
  return {std::max(generator_.index_at(time), first), std::min(time, std::max(generator_.now(), music_start_))};
}

// An instant is handed out once it has ended, which is late where music is made slowly: of one that has not, nothing
// stays that the new rules forbid.
Stream::Place Stream::place_of_change(const Settings& settings) const {
  Place place = place_of(change_time());
  const Settings& old = generator_.settings();
  if (settings.ensemble == old.ensemble && settings.scale == old.scale && settings.pitch_ranges == old.pitch_ranges)
    return place;
  for (EventIndex event = std::max(generator_.index_at(place.time), generator_.prompt_end()); event < place.at;
       ++event) {
    const Triplet& t = generator_.history()[static_cast<std::size_t>(event - generator_.first_index())];
    if (is_note(t) && !may_play(settings, instrument_of(t), pitch_of(t))) place.at = event;
  }
  return place;
}

double Stream::ahead(Ticks10ms t) const {
  const int speed = std::clamp(controls_.speed.load(), LiveControls::kMinSpeed, LiveControls::kMaxSpeed);
  return to_seconds(t - playhead_now()).count() * 1000 / speed;
}

StreamNote Stream::note_at(EventIndex event) const {
  const auto i = static_cast<std::size_t>(event - generator_.first_index());
  const Triplet& t = generator_.history()[i];
  return {{onset_of(t), duration_of(t), static_cast<std::uint8_t>(instrument_of(t)),
           static_cast<std::uint8_t>(pitch_of(t)), velocity_of(generator_.history(), i, event, options_.velocity)},
          event};
}

std::vector<StreamNote> Stream::pull(Ticks10ms until, std::size_t most) {
  const Lock lock(mutex_);
  std::vector<StreamNote> out;
  if (scheduler_ != nullptr || !controls_.playing.load()) return out;
  const Ticks10ms known = generator_.now();
  bool short_of_music = until > known;
  if (short_of_music) until = std::max(known, pulled_);
  const int transpose =
      std::clamp(controls_.transpose.load(), -LiveControls::kMaxTranspose, LiveControls::kMaxTranspose);
  const int percent = std::clamp(controls_.velocity.load(), 0, LiveControls::kMaxVelocity);
  const EventIndex end = generator_.index_at(until);
  for (next_out_ = std::max(next_out_, generator_.first_index()); next_out_ < end; ++next_out_) {
    if (!is_note(generator_.history()[static_cast<std::size_t>(next_out_ - generator_.first_index())])) continue;
    StreamNote note = note_at(next_out_);
    if (percent == 0 || controls_.muted[note.note.instrument].load()) continue;
    if (out.size() == most) {
      until = note.note.onset;
      short_of_music = false;
      break;
    }
    note.note.velocity = static_cast<std::uint8_t>(std::clamp(note.note.velocity * percent / 100, 1, 127));
    if (note.note.instrument != kDrums) {
      int key = note.note.pitch + transpose;
      while (key < 0) key += 12;
      while (key > 127) key -= 12;
      note.note.pitch = static_cast<std::uint8_t>(key);
    }
    out.push_back(note);
    begun_ = true;
  }
  if (short_of_music && begun_) {
    ++pull_underruns_;
    begun_ = false;
  }
  pulled_ = std::max(pulled_, until);
  return out;
}

void Stream::attach(NoteQueue& queue, const Scheduler& scheduler) {
  Lock lock(mutex_);
  const Ticks10ms here = playhead_now();
  queue_ = &queue;
  scheduler_ = &scheduler;
  seeks_ = scheduler.seeks();
  seek_to(here);
  hand_out();
  changed(lock);
}

void Stream::detach() {
  const Lock lock(mutex_);
  if (scheduler_ == nullptr) return;
  pulled_ = playhead_now();
  queue_ = nullptr;
  scheduler_ = nullptr;
  cut_pending_.reset(), seek_pending_.reset();
  next_out_ = generator_.index_at(pulled_);
}

Ticks10ms Stream::playhead() const {
  const Lock lock(mutex_);
  return playhead_now();
}

Ticks10ms Stream::generated_to() const {
  const Lock lock(mutex_);
  return generator_.now();
}

double Stream::seconds_ahead() const {
  const Lock lock(mutex_);
  return ahead(generator_.now());
}

std::uint64_t Stream::underruns() const {
  const Lock lock(mutex_);
  return pull_underruns_ + (scheduler_ != nullptr ? scheduler_->underruns() : 0);
}

bool Stream::failed() const {
  const Lock lock(mutex_);
  return failed_;
}

std::uint64_t Stream::slides() const {
  const Lock lock(mutex_);
  return generator_.slides();
}

EventIndex Stream::first_event() const {
  const Lock lock(mutex_);
  return generator_.prompt_end();
}

RecoveryCounts Stream::recovery_counts() const {
  const Lock lock(mutex_);
  return generator_.recovery_counts();
}

std::vector<StreamNote> Stream::notes(EventIndex from) const {
  const Lock lock(mutex_);
  std::vector<StreamNote> notes;
  const EventIndex known = std::max(generator_.index_at(generator_.now()), generator_.prompt_end());
  for (EventIndex event = std::max(from, generator_.first_index()); event < std::min(known, generator_.end_index());
       ++event)
    if (is_note(generator_.history()[static_cast<std::size_t>(event - generator_.first_index())]))
      notes.push_back(note_at(event));
  return notes;
}

// What must be said first goes first; a full queue is tried again at the next step.
bool Stream::push(const QueueMessage& message) {
  return queue_->try_push(message);
}

void Stream::hand_out() {
  if (queue_ == nullptr) return;
  if (seek_pending_) {
    if (!push(QueueMessage::seek(*seek_pending_))) return;
    ++seeks_;
    seek_pending_.reset();
  }
  if (cut_pending_) {
    if (!push(QueueMessage::cut_from(*cut_pending_))) return;
    cut_pending_.reset();
  }
  // An instant is complete, and its notes' velocities final, once a later one has begun.
  const Ticks10ms known = generator_.now();
  const EventIndex end = generator_.index_at(known);
  for (next_out_ = std::max(next_out_, generator_.first_index()); next_out_ < end; ++next_out_) {
    if (!is_note(generator_.history()[static_cast<std::size_t>(next_out_ - generator_.first_index())])) continue;
    if (!push(QueueMessage::note(note_at(next_out_).note, next_out_))) return;
  }
  if (known != reach_out_ && push(QueueMessage::reach(known))) reach_out_ = known;
}

// ---- changes

void Stream::changed(Lock& lock) {
  ++epoch_;
  cancel_ = true;  // what is being computed is of no use any more
  const auto on_change = on_change_;
  lock.unlock();
  if (on_change) on_change();
}

void Stream::seek_to(Ticks10ms to) {
  seek_pending_ = seek_target_ = pulled_ = reach_out_ = to;
  cut_pending_.reset();
  next_out_ = generator_.index_at(to);
}

// Takes back what was handed out from there on: the events are others now.
void Stream::retract_from(Place place) {
  const auto [at, time] = place;
  // The scheduler forgets the whole instant: what stays of a chord that was cut in two goes out again.
  next_out_ = std::min(next_out_, queue_ != nullptr ? std::min(at, generator_.index_at(time)) : at);
  reach_out_ = std::min(reach_out_, time);
  cut_pending_ = cut_pending_ ? std::min(*cut_pending_, time) : time;
}

// The events from there on have been replaced by others that may reach beyond the playhead, or not.
void Stream::replaced_from(Place place) {
  const Ticks10ms time = place.time;
  // Up to here notes have been handed out and can no longer be taken back.
  const Ticks10ms handed_out = scheduler_ != nullptr ? change_time() : playhead_now();
  if (generator_.now() < std::max(handed_out, time)) {
    seek_to(std::min(time, playhead_now()));
  } else if (time >= handed_out) {
    retract_from(place);
  } else {
    const EventIndex first = generator_.index_at(handed_out);
    retract_from({first, handed_out});
    next_out_ = first;
  }
}

// What an undo or a take goes back to must stay.
EventIndex Stream::kept() const {
  EventIndex kept = 0;
  for (const Edit& edit : undo_) kept = std::max(kept, edit.tail.at);
  for (const Edit& edit : redo_) kept = std::max(kept, edit.tail.at);
  for (const Take& take : takes_) kept = std::max(kept, take.at);
  return kept;
}

bool Stream::edit(Place place, Settings settings, bool with_last) {
  const auto [at, time] = place;
  Settings before = generator_.settings();
  auto tail = generator_.cut(at, time);
  if (!tail) return false;
  generator_.set_settings(std::move(settings));
  std::erase_if(takes_, [&](const Take& take) { return take.at > at; });
  // Taking both back takes the earlier back.
  if (!with_last || undo_.empty() || !redo_.empty() || undo_.back().tail.at > at)
    undo_.push_back({time, std::move(*tail), std::move(before)});
  if (undo_.size() > kMostUndo) undo_.erase(undo_.begin());
  redo_.clear();
  return true;
}

Settings Stream::settings() const {
  const Lock lock(mutex_);
  return generator_.settings();
}

Result<void> Stream::change(Settings settings) {
  return change(std::move(settings), false);
}

Result<void> Stream::amend(Settings settings) {
  return change(std::move(settings), true);
}

Result<void> Stream::change(Settings settings, bool with_last) {
  MIDINF_TRY(check_settings(settings));
  Lock lock(mutex_);
  if (settings == generator_.settings()) return {};
  const Place place = place_of_change(settings);
  if (!edit(place, std::move(settings), with_last))
    return fail(ErrorCode::kNotFound, "the music at the playhead is forgotten: seek to a later moment");
  retract_from(place);
  hand_out();
  changed(lock);
  return {};
}

bool Stream::again(std::optional<Ticks10ms> from) {
  Lock lock(mutex_);
  const bool back = from && *from < playhead_now();
  const Place place =
      place_of(back ? std::max(*from, music_start_) : std::max(from.value_or(change_time()), change_time()));
  Settings settings = generator_.settings();
  settings.seed = descendant(settings.seed, ++branches_);
  if (!edit(place, std::move(settings))) return false;
  if (back)
    seek_to(place.time);
  else
    retract_from(place);
  hand_out();
  changed(lock);
  return true;
}

std::vector<int> Stream::start_takes(int count, Seconds length) {
  MIDINF_ASSERT(count >= 1 && count <= 16 && length.count() > 0);
  Lock lock(mutex_);
  std::vector<int> ids;
  const auto [at, from] = place_of(change_time());
  std::vector<Take> takes;
  for (int i = 0; i < count; ++i) {
    const std::uint64_t seed = descendant(generator_.settings().seed, branches_ + static_cast<std::uint32_t>(i) + 1);
    auto generator = generator_.fork(at, from, seed);
    if (!generator) return {};
    ids.push_back(next_take_ + i);
    takes.push_back({ids.back(), at, from, from + to_ticks(length), *std::move(generator)});
  }
  takes_ = std::move(takes);
  next_take_ += count;
  branches_ += static_cast<std::uint32_t>(count);
  changed(lock);
  return ids;
}

std::vector<TakeInfo> Stream::takes() const {
  const Lock lock(mutex_);
  std::vector<TakeInfo> infos;
  for (const Take& take : takes_)
    infos.push_back({take.id, take.generator.settings().seed, take.from, std::min(take.generator.now(), take.until),
                     take.complete()});
  return infos;
}

std::vector<StreamNote> Stream::take_notes(int id) const {
  const Lock lock(mutex_);
  std::vector<StreamNote> notes;
  for (const Take& take : takes_) {
    if (take.id != id) continue;
    const auto history = take.generator.history();
    const EventIndex first = take.generator.first_index();
    const EventIndex end = take.generator.index_at(std::min(take.generator.now(), take.until));
    for (EventIndex event = take.at; event < end; ++event) {
      const auto i = static_cast<std::size_t>(event - first);
      const Triplet& t = history[i];
      if (is_note(t))
        notes.push_back({{onset_of(t), duration_of(t), static_cast<std::uint8_t>(instrument_of(t)),
                          static_cast<std::uint8_t>(pitch_of(t)), velocity_of(history, i, event, options_.velocity)},
                         event});
    }
  }
  return notes;
}

void Stream::drop_takes() {
  Lock lock(mutex_);
  takes_.clear();
  changed(lock);
}

bool Stream::accept_take(int id) {
  Lock lock(mutex_);
  const auto found = std::find_if(takes_.begin(), takes_.end(), [&](const Take& take) { return take.id == id; });
  if (found == takes_.end()) return false;
  Take take = *found;
  Settings settings = take.generator.settings();
  auto tail = take.generator.cut(take.at);
  if (!tail || !edit({take.at, take.from}, std::move(settings))) return false;
  const bool done = generator_.paste(std::move(*tail));
  if (done) {
    takes_.clear();
    replaced_from({take.at, take.from});
    hand_out();
  } else {  // a session that somebody made up
    swap_edit(undo_, redo_);
    redo_.clear();
  }
  changed(lock);
  return done;
}

bool Stream::swap_edit(std::vector<Edit>& from, std::vector<Edit>& to) {
  if (from.empty()) return false;
  Edit edit = std::move(from.back());
  from.pop_back();
  Settings settings = generator_.settings();
  auto tail = generator_.cut(edit.tail.at);
  if (!tail) {
    from.clear();  // history has dropped where it happened, and so all before it
    return false;
  }
  const EventIndex at = edit.tail.at;
  generator_.paste(std::move(edit.tail));
  generator_.set_settings(std::move(edit.settings));
  to.push_back({edit.time, std::move(*tail), std::move(settings)});
  std::erase_if(takes_, [&](const Take& take) { return take.at > at; });
  replaced_from({at, edit.time});
  hand_out();
  return true;
}

bool Stream::undo() {
  Lock lock(mutex_);
  const bool done = swap_edit(undo_, redo_);
  changed(lock);
  return done;
}

bool Stream::redo() {
  Lock lock(mutex_);
  const bool done = swap_edit(redo_, undo_);
  changed(lock);
  return done;
}

std::size_t Stream::undo_steps() const {
  const Lock lock(mutex_);
  return undo_.size();
}

std::size_t Stream::redo_steps() const {
  const Lock lock(mutex_);
  return redo_.size();
}

bool Stream::seek(Ticks10ms to) {
  Lock lock(mutex_);
  const EventIndex first = generator_.first_index();
  if (to > generator_.now() || to < Ticks10ms(0) || (first > 0 && generator_.index_at(to) == first)) return false;
  seek_to(to);
  hand_out();
  changed(lock);
  return true;
}

// ---- generating

bool Stream::wants_music() const {
  const Ticks10ms known = generator_.now();
  if (ahead(known) < options_.look_ahead.count()) return true;
  if (ahead(known) > std::max(kSilentLookAhead, options_.look_ahead.count())) return false;
  // Through silence on: does the latest note lie within the look-ahead?
  const auto history = generator_.history();
  for (std::size_t i = history.size(); i-- > 0;) {
    if (is_separator(history[i]) || ahead(onset_of(history[i])) < options_.look_ahead.count()) break;
    if (is_note(history[i])) return false;
  }
  return generator_.generated() > 0;
}

bool Stream::begin_step(Job& job) {
  const Lock lock(mutex_);
  job.kind = Job::Kind::kNone;
  cancel_ = false;
  if (suspended_ || failed_) return false;  // asked after cancel_ was cleared: cancel() sets them the other way round
  job.epoch = epoch_;
  job.logits = {};
  hand_out();
  const auto ask = [&](Generator& generator, Job::Kind kind, Decoder& decoder) {
    const LogitRequest request = generator.request();
    job.context.assign(request.context.begin(), request.context.end());
    job.rows = request.rows;
    job.guesses.assign(request.guesses.begin(), request.guesses.end());
    job.decoder = &decoder;
    // A change that comes meanwhile does not wait for a whole window.
    job.kind = decoder.read_towards(job.context, 0) > kReadAtOnce ? Job::Kind::kRead : kind;
    return true;
  };
  const bool hungry = wants_music();
  // Three windows stay in memory, this one and that before it among them: not while a change would go further back.
  if ((!hungry || ahead(generator_.now()) > kReadAheadFrom) &&
      place_of(change_time()).at >= generator_.window_began(1)) {
    job.context = generator_.upcoming_context();
    const std::size_t unread = decoder_.read_ahead(job.context, 0);
    if (unread >= kReadAtOnce || (unread > 0 && !hungry)) {
      job.decoder = &decoder_;
      job.kind = Job::Kind::kReadAhead;
      return true;
    }
  }
  if (hungry) {
    generator_.set_heard(change_time(), kept());
    return ask(generator_, Job::Kind::kEvent, decoder_);
  }
  for (Take& take : takes_) {
    if (take.complete()) continue;
    if (!take_decoder_) {
      take_decoder_ = std::make_unique<Decoder>(network_, pool_);
      take_decoder_->set_cancel(&cancel_);
    }
    job.take = take.id;
    take.generator.set_heard(take.from, take.at);  // no recovery goes back over where it branched off
    return ask(take.generator, Job::Kind::kTake, *take_decoder_);
  }
  take_decoder_.reset();
  return false;
}

Generator* Stream::generator_of(const Job& job) {
  if (job.kind == Job::Kind::kEvent) return &generator_;
  const auto take = std::find_if(takes_.begin(), takes_.end(), [&](const Take& t) { return t.id == job.take; });
  return take != takes_.end() ? &take->generator : nullptr;
}

void Stream::end_step(Job& job) {
  const Lock lock(mutex_);
  if (job.only_reads() || job.logits.empty() || job.epoch != epoch_) return;
  if (!all_finite(job.logits)) {
    failed_ = true;
    return;
  }
  Generator* generator = generator_of(job);
  if (generator == nullptr) return;
  // What was heard since the step began is not taken back either.
  if (job.kind == Job::Kind::kEvent) generator_.set_heard(change_time(), kept());
  const EventIndex end = generator->end_index();
  const Step step = generator->accept(job.logits);
  if (generator != &generator_ || step == Step::kId) return;
  if (step == Step::kRecovery && generator_.end_index() < end) {
    // What stays of a chord that was cut in two goes out again.
    retract_from({generator_.index_at(generator_.now()), generator_.now()});
  }
  hand_out();
}

void compute(std::span<Stream::Job* const> jobs) {
  std::vector<Decoder::Question> questions;
  for (Stream::Job* job : jobs) {
    if (job->kind == Stream::Job::Kind::kReadAhead)
      job->decoder->read_ahead(job->context, kReadAtOnce);
    else if (job->kind == Stream::Job::Kind::kRead)
      job->decoder->read_towards(job->context, kReadAtOnce);
    else if (job->kind != Stream::Job::Kind::kNone)
      questions.push_back({job->decoder, job->context, &job->rows, job->guesses});
  }
  Decoder::answer(questions);
  for (Stream::Job* job : jobs)
    for (const Decoder::Question& question : questions)
      if (question.decoder == job->decoder) job->logits = question.logits;
}

bool Stream::step() {
  Job job;
  if (!begin_step(job)) return false;
  Job* const jobs[] = {&job};
  compute(jobs);
  end_step(job);
  return true;
}

void Stream::cancel(bool cancelled) {
  suspended_ = cancelled;
  if (cancelled) cancel_ = true;
}

void Stream::set_on_change(std::function<void()> on_change) {
  const Lock lock(mutex_);
  on_change_ = std::move(on_change);
}

}  // namespace midinf

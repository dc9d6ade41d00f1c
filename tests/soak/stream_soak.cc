// Long and timed runs of a Stream with a real model, for scripts/check; not part of ./test.
//   stream_soak latency MODEL
//     in real time: the first note, and how soon changes are obeyed
//   stream_soak play MODEL SECONDS SEED [raw | COUNT [PROMPT.mid …]]
//     as fast as it goes, through queue and scheduler; with random changes if SEED > 0. COUNT streams with seeds from
//     there on, eight at a time in one pass; they take turns to begin with nothing and with each PROMPT
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "midi/smf_reader.h"
#include "model/checkpoint.h"
#include "stream/stream.h"
#include "stream/stream_worker.h"
#include "tokens/triplets.h"
#include "tokens/vocabulary.h"

namespace midinf {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::shared_ptr<const Network> load(const char* path) {
  const auto checkpoint = open_checkpoint(path);
  if (!checkpoint) {
    fmt::print(stderr, "stream_soak: {}\n", checkpoint.error().to_string());
    std::exit(1);
  }
  return *Network::load(**checkpoint, **select_kernels());
}

// MIDINF_SOAK_THREADS, or as many as there are processors.
int threads() {
  const char* wanted = std::getenv("MIDINF_SOAK_THREADS");
  return wanted != nullptr ? std::max(1, std::atoi(wanted)) : default_thread_count();
}

long resident_kb() {
  std::ifstream statm("/proc/self/statm");
  long total = 0, resident = 0;
  statm >> total >> resident;
  return resident * (::sysconf(_SC_PAGESIZE) / 1024);
}

bool is_note_on(const MidiMessage& message) {
  return (message.bytes[0] & 0xF0) == 0x90 && message.bytes[2] > 0;
}
bool is_note_off(const MidiMessage& message) {
  const int kind = message.bytes[0] & 0xF0;
  return kind == 0x80 || (kind == 0x90 && message.bytes[2] == 0);
}

double percentile(std::vector<double> values, double p) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(p * static_cast<double>(values.size() - 1) + 0.5)];
}

// How long a cancel takes to end the step under way: a part of a prompt being read (the longest there is) and single
// ids.
std::vector<double> cancels(const std::shared_ptr<const Network>& network) {
  std::vector<Note> notes;
  for (int i = 0; i < 330; ++i)
    notes.push_back({Ticks10ms(10 * i), Ticks10ms(10), 0, static_cast<std::uint8_t>(40 + i * 7 % 40)});
  std::vector<double> took;
  for (int round = 0; round < 20; ++round) {
    const auto stream = std::make_shared<Stream>(network, std::make_shared<ComputePool>(threads()), Settings{.seed = 1},
                                                 continue_piece(notes), StreamOptions{.look_ahead = Seconds(60)});
    std::thread worker([&] {
      while (stream->step()) {
      }
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(5 + 40 * round));
    const auto asked = Clock::now();
    stream->cancel(true);
    worker.join();
    took.push_back(seconds_since(asked));
  }
  return took;
}

// Blocks of 10 ms in real time, as an audio device would ask for them.
int latency(const char* model) {
  constexpr int kRate = 48'000, kFrames = kRate / 100;
  const auto network = load(model);
  const auto pool = std::make_shared<ComputePool>(threads());
  std::vector<double> first_note;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const auto stream = std::make_shared<Stream>(network, pool, Settings{.seed = seed}, begin_piece());
    NoteQueue queue(4096);
    Scheduler scheduler({.sample_rate = kRate}, queue, stream->controls());
    stream->attach(queue, scheduler);
    StreamWorker worker;
    worker.add(stream);
    const auto began = Clock::now();
    worker.start();
    while (queue.front() == nullptr || queue.front()->kind != QueueMessage::Kind::kNote) {
      if (queue.front() != nullptr) queue.pop();
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    first_note.push_back(seconds_since(began));
    worker.stop();
  }

  const auto stream = std::make_shared<Stream>(network, pool, Settings{.seed = 3}, begin_piece());
  NoteQueue from_stream(4096), queue(4096);  // between them what the stream hands out is seen when it does
  Scheduler scheduler({.sample_rate = kRate}, queue, stream->controls());
  stream->attach(from_stream, scheduler);
  StreamWorker worker;
  worker.add(stream);
  worker.start();

  // Two ensembles without a common member: who plays tells under which setting a note was generated.
  const std::vector<int> ensembles[] = {{0, 33, 128}, {24, 48, 73}};
  const auto member = [&](int instrument, int which) {
    return std::find(ensembles[which].begin(), ensembles[which].end(), instrument) != ensembles[which].end();
  };
  std::vector<double> last_old, new_queued, first_new, stalls, later;
  std::vector<MidiMessage> messages(512);
  int which = 0, changes = 0, at_boundaries = 0;
  double old_heard = 0, queued = -1, new_heard = -1, stalled = 0;
  double unchanged = -1;  // when the next note would have come without the change, -1: was not known
  std::uint64_t slides = stream->slides();
  double next_change = 8;
  auto due = Clock::now();
  auto changed_at = due;
  for (double now = 0; changes <= 20; now += 0.01) {
    do {
      while (const QueueMessage* message = from_stream.front()) {
        if (message->kind == QueueMessage::Kind::kNote && queued < 0 && changes > 0 &&
            member(message->instrument, which)) {
          queued = seconds_since(changed_at);
          if (unchanged >= 0) later.push_back(std::max(0.0, to_seconds(message->at).count() - unchanged));
        }
        while (!queue.try_push(*message)) {
        }
        from_stream.pop();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    } while (Clock::now() < due);
    due += std::chrono::milliseconds(10);
    const Seconds before = scheduler.playhead_seconds();
    const std::size_t count = scheduler.process(kFrames, messages);
    if (scheduler.seeks() > 0) stalled += 0.01 - (scheduler.playhead_seconds() - before).count();
    for (std::size_t i = 0; i < count; ++i) {
      if (changes == 0 || !is_note_on(messages[i])) continue;
      const double heard = seconds_since(changed_at) + messages[i].offset / static_cast<double>(kRate);
      if (!member(messages[i].instrument, which))
        old_heard = heard;
      else if (new_heard < 0)
        new_heard = heard;
    }
    if (now < next_change) continue;
    // Half of the changes right after the window has slid: what they take back begins in the window before.
    const bool slid = stream->slides() != slides;
    if (changes % 2 == 1 && !slid && now < next_change + 12) continue;
    if (changes > 0) {
      last_old.push_back(old_heard);
      new_queued.push_back(queued);
      first_new.push_back(new_heard);
      stalls.push_back(stalled);
      fmt::print("{}{:.0f}/{:.0f}/{:.0f}/{:.0f}", changes > 1 ? ", " : "old/queued/new/stalled ms: ", 1e3 * old_heard,
                 1e3 * queued, 1e3 * new_heard, 1e3 * stalled);
    }
    if (changes++ == 20) break;
    at_boundaries += slid ? 1 : 0;
    which = 1 - which;
    Settings settings = stream->settings();
    settings.ensemble = ensembles[which];
    old_heard = 0, queued = new_heard = -1, stalled = 0;
    const auto old = stream->notes();
    changed_at = Clock::now();
    if (const auto done = stream->change(settings); !done) return fmt::print("{}\n", done.error().to_string()), 1;
    const std::size_t kept = stream->notes().size();
    unchanged = kept < old.size() ? to_seconds(old[kept].note.onset).count() : -1;
    next_change = now + 4;
    slides = stream->slides();
  }
  worker.stop();
  fmt::print("\n");
  const auto line = [](const char* what, const std::vector<double>& values) {
    fmt::print("{}: median {:.0f} ms, p95 {:.0f} ms, most {:.0f} ms ({} times)\n", what, 1e3 * percentile(values, 0.5),
               1e3 * percentile(values, 0.95), 1e3 * percentile(values, 1), values.size());
  };
  const std::vector<double> cancelled = cancels(network);
  line("from a cancel to the end of the step under way", cancelled);
  line("from start to the first note in the queue", first_note);
  line("from a change to the last note under the old setting", last_old);
  line("from a change to the first note under the new setting in the queue", new_queued);
  line("from a change to the first note under the new setting, as heard", first_new);
  line("how much later the first new note begins than the old one would have", later);
  line("how long the music stood still after a change", stalls);
  fmt::print("{} of 20 changes right after a slide of the window; underruns {}, late {}, dropped {}\n", at_boundaries,
             scheduler.underruns(), scheduler.late(), scheduler.dropped());
  const bool good = percentile(cancelled, 1) <= 0.05 && percentile(first_note, 1) <= 0.3 &&
                    percentile(last_old, 0.95) <= 0.5 && percentile(new_queued, 0.95) <= 0.5 &&
                    percentile(later, 0.95) <= 0.05 && percentile(stalls, 0.95) <= 0.05 && at_boundaries > 0 &&
                    scheduler.dropped() == 0;
  fmt::print("{}\n", good ? "ok" : "FAILED");
  return good ? 0 : 1;
}

// The steps between onsets of a random network are tens of seconds: this makes them at most 0.3 s.
class ShortSteps : public LogitProcessor {
 public:
  void narrow(const StepContext& context, RowRanges& allowed) const override {
    if (context.slot != Slot::kOnset) return;
    RowRanges narrowed = allowed;
    const auto latest = static_cast<TokenId>((context.now - context.window_origin).count()) + 30;
    if (latest < kMaxOnset) narrowed.remove({latest, kMaxOnset});
    if (!narrowed.empty()) allowed = std::move(narrowed);  // another rule may ask for a longer wait
  }
};

// A random but valid choice.
Settings random_settings(std::mt19937_64& random, std::uint64_t seed, bool raw) {
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<std::uint64_t>(n)); };
  Settings settings{.seed = seed, .recover = !raw};
  if (raw) settings.processors.push_back(std::make_shared<ShortSteps>());
  settings.temperature = 0.8 + 0.05 * pick(8);
  settings.top_p = 0.9 + 0.02 * pick(6);
  if (pick(3) == 0) settings.top_k = 20 + pick(200);
  if (pick(3) == 0) settings.min_p = 0.01;
  if (pick(2) == 0)
    for (const int instrument : {0, 24, 33, 48, 56, 73, 128})
      if (pick(2) == 0) settings.ensemble.push_back(instrument);
  if (pick(4) == 0) settings.density = 0.5 * pick(5), settings.density_unit = DensityUnit::kSeconds;
  if (pick(4) == 0) settings.instrument_cap = 2 + pick(6);
  if (pick(4) == 0) settings.polyphony = 4 + pick(12);
  if (pick(4) == 0) settings.frequency_penalty = 0.1 * pick(6);
  if (pick(4) == 0) settings.scale = 0xAB5;  // C major
  if (pick(4) == 0) settings.pace = 15 + 5 * pick(8);
  return settings;
}

// The first quarter of a minute of a song.
Prompt prompt_from(const char* midi) {
  auto song = read_midi_file(midi);
  if (!song) {
    fmt::print(stderr, "stream_soak: {}\n", song.error().to_string());
    std::exit(1);
  }
  std::erase_if(song->notes, [](const Note& note) { return note.onset >= Ticks10ms(1'500); });
  return continue_piece(song->notes);
}

// Somebody who listens to a stream as fast as it is made, block by block, and watches what reaches the synthesizer.
class Listener {
 public:
  Listener(const std::shared_ptr<const Network>& network, const std::shared_ptr<ComputePool>& pool, double seconds,
           std::uint64_t seed, bool raw, const Prompt& prompt)
      : seconds_(seconds),
        seed_(seed),
        raw_(raw),
        random_(seed),
        stream_(network, pool, seed > 0 ? random_settings(random_, seed, raw) : Settings{.seed = 6, .recover = !raw},
                prompt),
        start_(to_seconds(stream_.playhead()).count()),
        scheduler_({.sample_rate = kRate}, queue_, stream_.controls()) {
    stream_.attach(queue_, scheduler_);
  }

  // Listens until the stream wants something computed. False when the time is over, or the music does not go on.
  bool next(Stream::Job& job) {
    while (!over()) {
      known_ = stream_.generated_to();
      if (stream_.begin_step(job)) return true;
      listen();
    }
    return false;
  }

  void computed(Stream::Job& job) {
    stream_.end_step(job);
    if (const RecoveryCounts counts = stream_.recovery_counts(); counts != seen_) {
      seen_ = counts;
      fmt::print("{}{} at {:.2f} s: back to {:.2f} s{}\n", name(), trouble_name(counts.last),
                 to_seconds(known_).count(), to_seconds(stream_.generated_to()).count(),
                 counts.given_up > 0 ? fmt::format(", {} given up", counts.given_up) : "");
    }
  }

  // Stops, says how it was and whether it was good.
  bool finish() {
    if (stuck_) {
      fmt::print("{}FAILED: the music does not go on at {:.1f} s\n", name(), to_seconds(scheduler_.playhead()).count());
      return false;
    }
    stream_.controls().stop();
    scheduler_.process(kFrames, messages_);
    // No drift: the clock of the music is the clock of the samples, less what it waited before the first note.
    const double drift =
        to_seconds(scheduler_.playhead()).count() - start_ - static_cast<double>(frames_ - waited_ * kFrames) / kRate;
    const bool good = wrong_ == 0 && scheduler_.sounding() == 0 && scheduler_.underruns() == 0 &&
                      scheduler_.dropped() == scheduler_.crowded_out() && std::abs(drift) < 0.05;
    const RecoveryCounts counts = stream_.recovery_counts();
    fmt::print(
        "{}{} notes, {} messages out of order, {} sounding after stop, underruns {}, late {}, dropped {} ({} were a "
        "sixteenth instrument at one instant), {} recoveries, {} given up, {:.2f} s of the clock unaccounted for: {}\n",
        name(), notes_, wrong_, scheduler_.sounding(), scheduler_.underruns(), scheduler_.late(), scheduler_.dropped(),
        scheduler_.crowded_out(), counts.recoveries, counts.given_up, drift, good ? "good" : "BAD");
    return good;
  }

  [[nodiscard]] double now() const { return static_cast<double>(frames_) / kRate; }
  [[nodiscard]] std::uint64_t notes() const { return notes_; }

 private:
  static constexpr int kRate = 48'000, kFrames = 480;

  [[nodiscard]] bool over() const { return stuck_ || now() >= seconds_; }
  [[nodiscard]] std::string name() const { return seed_ > 0 ? fmt::format("seed {}: ", seed_) : std::string(); }

  void listen() {
    const Ticks10ms before = scheduler_.playhead();
    const std::size_t count = scheduler_.process(kFrames, messages_);
    if (scheduler_.playhead() == before) stuck_ = ++waited_ > 100'000;
    frames_ += kFrames;
    for (std::size_t i = 0; i < count; ++i) {
      const std::pair key(messages_[i].bytes[0] & 0x0F, messages_[i].bytes[1]);
      if (is_note_on(messages_[i])) {
        ++notes_;
        wrong_ += ++sounding_[key] != 1 ? 1 : 0;
      } else if (is_note_off(messages_[i])) {
        wrong_ += --sounding_[key] != 0 ? 1 : 0;
      }
    }
    if (seed_ > 0 && now() >= next_change_) {
      static_cast<void>(stream_.change(random_settings(random_, seed_, raw_)));
      next_change_ += 120;
    }
  }

  const double seconds_;
  const std::uint64_t seed_;
  const bool raw_;
  std::mt19937_64 random_;
  Stream stream_;
  const double start_;
  NoteQueue queue_{4096};
  Scheduler scheduler_;
  std::vector<MidiMessage> messages_{512};
  std::map<std::pair<int, int>, int> sounding_;
  std::int64_t frames_ = 0, waited_ = 0;
  std::uint64_t notes_ = 0, wrong_ = 0;
  double next_change_ = 120;
  bool stuck_ = false;
  Ticks10ms known_;
  RecoveryCounts seen_;
};

// `count` listeners with seeds from `seed` on, as many at a time as are answered together.
int play(const char* model, double seconds, std::uint64_t seed, std::uint64_t count, bool raw,
         const std::vector<Prompt>& prompts) {
  const auto network = load(model);
  const auto pool = std::make_shared<ComputePool>(threads());
  std::vector<std::unique_ptr<Listener>> listeners;
  std::uint64_t begun = 0, notes = 0;
  double heard = 0, next_report = 60;
  long least = 0, most = 0;
  bool good = true;
  const auto began = Clock::now();
  while (begun < count || !listeners.empty()) {
    while (begun < count && listeners.size() < Decoder::kMostTogether) {
      listeners.push_back(std::make_unique<Listener>(network, pool, seconds, seed + begun, raw,
                                                     prompts[static_cast<std::size_t>(begun) % prompts.size()]));
      ++begun;
    }
    std::vector<Stream::Job> jobs(listeners.size());
    std::vector<Stream::Job*> wanted;
    for (std::size_t i = 0; i < listeners.size(); ++i) {
      if (listeners[i]->next(jobs[i])) {
        wanted.push_back(&jobs[i]);
        continue;
      }
      good = listeners[i]->finish() && good;
      heard += listeners[i]->now(), notes += listeners[i]->notes();
      listeners[i].reset();
    }
    compute(wanted);
    double now = heard;
    std::uint64_t all = notes;
    for (std::size_t i = 0; i < listeners.size(); ++i) {
      if (!listeners[i]) continue;
      listeners[i]->computed(jobs[i]);
      now += listeners[i]->now(), all += listeners[i]->notes();
    }
    std::erase(listeners, nullptr);
    if (now < next_report) continue;
    const long kb = resident_kb();
    // From when the windows of the first are full, and while nobody has left without a successor.
    const auto together = static_cast<std::size_t>(std::min<std::uint64_t>(count, Decoder::kMostTogether));
    if (next_report > 100.0 * static_cast<double>(together) && listeners.size() == together) {
      least = least == 0 ? kb : std::min(least, kb);
      most = std::max(most, kb);
    }
    fmt::print("{:.0f} s: {} notes, {} kB, {:.1f} times as fast as it plays\n", now, all, kb,
               now / seconds_since(began));
    std::fflush(stdout);
    next_report += seconds * static_cast<double>(count) > 1'200 ? 600 : 60;
  }
  good = good && (least == 0 || most < least + least / 32 + 16'384);
  fmt::print("{} notes in {:.0f} s, memory {} to {} kB, {:.1f} times as fast as it plays\n{}\n", notes, heard, least,
             most, heard / seconds_since(began), good ? "ok" : "FAILED");
  return good ? 0 : 1;
}

}  // namespace
}  // namespace midinf

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "latency" && argc == 3) return midinf::latency(argv[2]);
  if (mode == "play" && argc >= 5) {
    const bool raw = argc == 6 && std::string(argv[5]) == "raw";
    const std::uint64_t count = argc > 5 && !raw ? std::strtoull(argv[5], nullptr, 10) : 1;
    std::vector<midinf::Prompt> prompts{midinf::begin_piece()};
    for (int i = 6; i < argc; ++i) prompts.push_back(midinf::prompt_from(argv[i]));
    if (count > 0)
      return midinf::play(argv[2], std::atof(argv[3]), std::strtoull(argv[4], nullptr, 10), count, raw, prompts);
  }
  fmt::print(stderr,
             "usage: stream_soak latency MODEL | stream_soak play MODEL SECONDS SEED [raw | COUNT [PROMPT.mid …]]\n");
  return 2;
}

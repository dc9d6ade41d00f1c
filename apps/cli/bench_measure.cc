#include "bench_measure.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <random>
#include <utility>

#include "base/shares.h"
#include "stream/stream.h"
#include "terminal.h"
#include "tokens/triplets.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace midinf::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kSeed = 1;
constexpr std::size_t kEventsBeforeSlide = 300;
constexpr std::size_t kStepsAfterSlide = 3 * 16;
constexpr std::size_t kMostSteps = 3 * 400;  // a window holds 341 events
constexpr Ticks10ms kListens{10};
constexpr std::size_t kLine = 256;  // bytes that are summed at once

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Four players, nearly thirty notes a second, as the embedded model likes to play.
std::vector<Note> a_piece(std::size_t count) {
  constexpr std::array<std::uint8_t, 4> kPlayers{0, 33, 48, kDrums};
  std::mt19937 random(1);
  const auto below = [&](unsigned bound) { return static_cast<std::uint8_t>(random() % bound); };
  std::vector<Note> notes;
  Ticks10ms onset;
  for (std::size_t i = 0; i < count; ++i) {
    Note note{.onset = onset, .duration = Ticks10ms(10 + below(50))};
    note.instrument = kPlayers[below(4)];
    note.pitch = static_cast<std::uint8_t>(36 + below(48));
    notes.push_back(note);
    onset += Ticks10ms(1 + below(6));
  }
  return notes;
}

std::size_t layer_bytes(const Network::Layer& layer) {
  const auto bias = [](const PanelMatrix& m) {
    return static_cast<std::size_t>(m.panels()) * kPanelRows * sizeof(float);
  };
  std::size_t bytes = 0;
  for (const Network::Norm& norm : {layer.attention_norm, layer.mlp_norm})
    bytes += norm.weight.size_bytes() + norm.bias.size_bytes();
  for (const Network::Share& share : layer.shares) {
    for (const PanelMatrix* matrix : {&share.qkv, &share.attention_output, &share.mlp_up, &share.mlp_down})
      bytes += matrix->bytes();
    bytes += bias(share.qkv) + bias(share.mlp_up);
    if (share.attention_output_bias != nullptr) bytes += bias(share.attention_output);
    if (share.mlp_down_bias != nullptr) bytes += bias(share.mlp_down);
  }
  return bytes;
}

std::size_t head_bytes(const PanelMatrix& head, const RowRanges& rows) {
  int panels = 0, next = 0;  // a panel that two ranges reach into is read once
  for (const RowRange& range : rows.ranges()) {
    const int end = (range.end + kPanelRows - 1) / kPanelRows;
    panels += end - std::max(next, range.begin / kPanelRows);
    next = end;
  }
  return static_cast<std::size_t>(panels) * head.panel_bytes();
}

using Sum = std::uint64_t(const std::uint64_t* numbers, std::size_t count);

// Many sums side by side: a single one would wait for itself.
[[gnu::always_inline]] inline std::uint64_t sum(const std::uint64_t* numbers, std::size_t count) {
  std::array<std::uint64_t, kLine / sizeof(std::uint64_t)> sums{};
  for (std::size_t i = 0; i + sums.size() <= count; i += sums.size())
    for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += numbers[i + k];
  std::uint64_t total = 0;
  for (const std::uint64_t each : sums) total += each;
  return total;
}
std::uint64_t sum_plain(const std::uint64_t* numbers, std::size_t count) {
  return sum(numbers, count);
}
#if defined(__x86_64__) && defined(__GNUC__)
// Out of the cache 16 bytes at a time are not enough, and 64 bring no more than 32.
[[gnu::target("avx2")]] std::uint64_t sum_avx2(const std::uint64_t* numbers, std::size_t count) {
  return sum(numbers, count);
}
Sum* quickest_sum() {
  return __builtin_cpu_supports("avx2") ? sum_avx2 : sum_plain;
}
#else
Sum* quickest_sum() {
  return sum_plain;
}
#endif

// Random weights draw any onset of the 100 seconds that there are.
class NearOnsets : public LogitProcessor {
 public:
  explicit NearOnsets(int notes_per_second) : longest_(2 * static_cast<int>(kTicksPerSecond) / notes_per_second) {}
  void edit(const StepContext& context, const RowRanges& allowed, std::span<float> logits) const override {
    if (context.slot != Slot::kOnset) return;
    const std::int64_t latest = (context.now - context.window_origin).count() + longest_;
    const auto kept = std::clamp<std::int64_t>(latest + 1 - allowed.id_at(0), 1, allowed.size());
    std::fill(logits.begin() + kept, logits.end(), -std::numeric_limits<float>::infinity());
  }

 private:
  int longest_;  // from one note to the next; half of it on average
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::vector<KeptRequest> requests_at(int context) {
  MIDINF_ASSERT(context >= 32 && context <= 1'000);
  // A flag, then the events; the first of them is the separator before the piece.
  const auto before = static_cast<std::size_t>((context - 1) / 3 - kTripletsTimed / 2);
  const std::vector<Note> notes = a_piece(before - 1 + kTripletsTimed);
  const std::vector<Triplet> events = to_triplets(notes);
  Generator generator({.recover = false}, continue_piece(std::span(notes).first(before - 1)));
  std::vector<KeptRequest> kept;
  std::vector<float> logits;
  const LogitSource as_written = [&](const LogitRequest& request) {
    const Triplet& event = events[before - 1 + kept.size() / 3];
    const TokenId id = std::array{event.onset, event.duration, event.note}[kept.size() % 3];
    kept.push_back({{request.context.begin(), request.context.end()}, request.rows});
    logits.assign(static_cast<std::size_t>(request.rows.size()), 0.0F);
    logits[static_cast<std::size_t>(request.rows.index_of(id))] = 1'000.0F;  // certain
    return std::span(logits);
  };
  for (int i = 0; i < kTripletsTimed; ++i) static_cast<void>(next_event(generator, as_written));
  return kept;
}

double bytes_touched(const Engine& engine, const Decoder& decoder, std::span<const KeptRequest> requests) {
  std::size_t layers = 0;
  for (const Network::Layer& layer : engine.network->layers()) layers += layer_bytes(layer);
  double total = 0;
  for (const KeptRequest& request : requests)
    total += static_cast<double>(layers + head_bytes(engine.network->token_embedding(), request.rows) +
                                 decoder.cache_bytes_per_id() * request.context.size());
  return total / static_cast<double>(requests.size());
}

double time_decode(Decoder& decoder, std::span<const KeptRequest> requests) {
  const std::span<const TokenId> first = requests.front().context;
  static_cast<void>(decoder.read_towards(first, first.size()));
  const auto began = Clock::now();
  for (const KeptRequest& request : requests) static_cast<void>(decoder.logits(request.context, request.rows));
  return seconds_since(began);
}

double time_prefill(Decoder& decoder, std::span<const TokenId> ids) {
  const auto began = Clock::now();
  static_cast<void>(decoder.read_from_start(ids));
  return seconds_since(began);
}

void ReadBuffer::Free::operator()(std::byte* p) const {
  std::free(p);
}

ReadBuffer::ReadBuffer(std::size_t bytes) {
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  size_ = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  memory_.reset(static_cast<std::byte*>(std::aligned_alloc(kHugePage, size_)));
  if (!memory_) throw std::bad_alloc();
#if defined(__linux__)
  static_cast<void>(::madvise(memory_.get(), size_, MADV_HUGEPAGE));
#endif
  std::memset(memory_.get(), 1, size_);
}

double ReadBuffer::time_read(ComputePool& pool, std::size_t bytes, int times) const {
  MIDINF_ASSERT(bytes <= size_);
  Sum* const add = quickest_sum();
  std::atomic<std::uint64_t> seen{0};  // so that no compiler leaves the reading out
  const auto began = Clock::now();
  for (int i = 0; i < times; ++i)
    pool.run([&](int thread) {
      const IndexRange lines = share(static_cast<int>(bytes / kLine), 1, thread, pool.threads());
      const auto* first = reinterpret_cast<const std::uint64_t*>(memory_.get()) +
                          static_cast<std::size_t>(lines.begin) * (kLine / sizeof(std::uint64_t));
      seen += add(first, static_cast<std::size_t>(lines.size()) * (kLine / sizeof(std::uint64_t)));
    });
  return seconds_since(began);
}

Settings bench_settings(int notes_per_second) {
  Settings settings{.seed = kSeed};
  if (notes_per_second > 0) settings.processors = {std::make_shared<NearOnsets>(notes_per_second)};
  return settings;
}

Result<Music> time_music(const Engine& engine, const Settings& settings, const MusicLength& length) {
  Decoder decoder = engine.decoder();
  Generator generator(settings, begin_piece());
  auto music = make_music(length, generator, decoder, [](double, int, double) {});
  if (!music) return tl::make_unexpected(with_context(music.error(), engine.model_path));
  return music;
}

Result<double> time_first_note(const Engine& engine, const Settings& settings) {
  const auto began = Clock::now();
  MIDINF_TRY(time_music(engine, settings, {.notes = 1}));
  return seconds_since(began);
}

Result<Slide> time_slide(const Engine& engine, const Settings& settings) {
  const std::vector<Note> notes = a_piece(kEventsBeforeSlide);
  Stream stream(engine.network, engine.pool, settings, continue_piece(notes));
  Slide slide;
  std::vector<double> steps;
  double read = 0;  // for the step that comes next
  std::uint64_t slides = 0;
  for (std::size_t after = 0; after < kStepsAfterSlide;) {
    if (interrupted()) return slide;
    if (steps.size() == kMostSteps)
      return fail(ErrorCode::kUnsupported,
                  "its music dies before a window is full; for random weights there is --notes-per-second",
                  engine.model_path);
    Stream::Job job;
    Stream::Job* const jobs[] = {&job};
    const auto began = Clock::now();
    if (!stream.begin_step(job)) {
      static_cast<void>(stream.pull(stream.playhead() + kListens));
      continue;
    }
    compute(jobs);
    stream.end_step(job);
    double took = seconds_since(began);
    if (stream.failed())
      return fail(ErrorCode::kCorrupt,
                  "the model computes infinities or no numbers at all; download or convert it again",
                  engine.model_path);
    if (job.kind == Stream::Job::Kind::kReadAhead) {
      slide.read_ahead = std::max(slide.read_ahead, took);
      continue;
    }
    if (job.kind == Stream::Job::Kind::kRead) {
      read += took;
      continue;
    }
    took += std::exchange(read, 0);
    if (stream.slides() > std::exchange(slides, stream.slides())) slide.longest = std::max(slide.longest, took);
    steps.push_back(took);
    after += stream.slides() > 0 ? 1 : 0;
  }
  slide.step = median(std::move(steps));
  return slide;
}

}  // namespace midinf::cli

// What `midinfinite bench` measures, once each: the same generators, decoders and streams that make music.
// Must not know: rounds, reports. Read next: bench_command.cc, which repeats these in turns; model/forward.h.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "anticipation/settings.h"
#include "base/result.h"
#include "engine.h"
#include "make_music.h"

namespace midinf::cli {

/// What a generator asked of the network.
struct KeptRequest {
  std::vector<TokenId> context;
  RowRanges rows;
};

inline constexpr int kTripletsTimed = 16;
inline constexpr int kIdsTimed = 3 * kTripletsTimed;

/// kIdsTimed requests of a generator that continues a piece, of thirty notes a second, by the events that follow in it:
/// one id longer each, `context` ids on average. The same for every network. Precondition: 32 <= context <= 1,000.
std::vector<KeptRequest> requests_at(int context);

/// Bytes that the network reads for one id, the mean of `requests`: the layers' weights, the wanted rows of the head,
/// and the keys and values of the context.
double bytes_touched(const Engine& engine, const Decoder& decoder, std::span<const KeptRequest> requests);

/// Seconds that the answers take, one pass each; what stands before the first context's last id is read beforehand.
/// Precondition: nothing but `requests` was asked of `decoder` before.
double time_decode(Decoder& decoder, std::span<const KeptRequest> requests);

/// Seconds that it takes to read `ids`, at most 1,024, from nothing.
double time_prefill(Decoder& decoder, std::span<const TokenId> ids);

/// Memory for measuring how fast memory can be read, laid out like weights: 2 MB pages where the system grants them.
class ReadBuffer {
 public:
  explicit ReadBuffer(std::size_t bytes);
  /// Seconds for reading the first `bytes` from end to end, a share for each thread, `times` times.
  double time_read(ComputePool& pool, std::size_t bytes, int times) const;

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  std::unique_ptr<std::byte, Free> memory_;
  std::size_t size_;
};

/// Settings as generate's own, but the seed, and with `notes_per_second` above 0 held to about so many: the
/// distances of onsets are cut, no row of the head is spared.
Settings bench_settings(int notes_per_second);

/// Seconds from nothing but a loaded network to the first note of a piece. Errors: as make_music.
Result<double> time_first_note(const Engine& engine, const Settings& settings);

/// A piece from its beginning. Errors: as make_music.
Result<Music> time_music(const Engine& engine, const Settings& settings, const MusicLength& length);

/// How long a stream lets wait while its window slides, in seconds. A step is one id, a pass or (guess.h) none.
struct Slide {
  double step = 0;        ///< the median step
  double longest = 0;     ///< the step at which the window slid
  double read_ahead = 0;  ///< the longest pass that read ids of the next window early, between two steps
};

/// A stream that continues 300 events, with a listener who plays what there is, until its window has slid and 16 events
/// more are drawn. Errors: kCorrupt as make_music; kUnsupported when the window never slides.
Result<Slide> time_slide(const Engine& engine, const Settings& settings);

}  // namespace midinf::cli

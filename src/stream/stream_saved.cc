// A session as bytes, and back.
#include "stream/saved.h"
#include "stream/stream.h"
#include "tokens/triplets.h"

namespace midinf {
namespace {

constexpr std::string_view kMagic = "MIDINFSE";
constexpr std::uint32_t kVersion = 2;  // 1 knew no pace
constexpr std::size_t kMostTakes = 16;

Ticks10ms time_in(SaveReader& in) {
  return Ticks10ms(in.number_in<std::int64_t>(0, kMaxSongSteps));
}

double seconds_in(SaveReader& in, double highest) {
  const double value = in.number<double>();
  if (value >= 0 && value <= highest) return value;
  in.refuse();
  return 0;
}

Result<Generator> generator_in(SaveReader& in) {
  const auto bytes = in.blob();
  return Generator::restore(bytes);
}

}  // namespace

std::vector<std::byte> Stream::save(std::span<const std::byte> attachment) const {
  const Lock lock(mutex_);
  SaveWriter out(kMagic, kVersion);
  out.blob(generator_.save());
  out.number(music_start_.count());
  out.number(playhead_now().count());
  out.number(options_.look_ahead.count());
  out.number(options_.reaction.count());
  out.number<std::int32_t>(options_.velocity.constant);
  out.number(options_.velocity.seed);
  out.number(branches_);
  out.number<std::int32_t>(next_take_);
  out.number<std::uint64_t>(takes_.size());
  for (const Take& take : takes_) {
    out.number<std::int32_t>(take.id);
    out.number(take.at);
    out.number(take.from.count());
    out.number(take.until.count());
    out.blob(take.generator.save());
  }
  out.blob(attachment);
  return out.finish();
}

Result<std::unique_ptr<Stream>> Stream::open(std::span<const std::byte> bytes, std::shared_ptr<const Network> network,
                                             std::shared_ptr<ComputePool> pool, std::vector<std::byte>* attachment) {
  MIDINF_TRY_ASSIGN(in, SaveReader::open(bytes, kMagic, kVersion));
  MIDINF_TRY_ASSIGN(generator, generator_in(in));
  const Ticks10ms music_start = time_in(in), playhead = time_in(in);
  StreamOptions options;
  options.look_ahead = Seconds(seconds_in(in, 3600));
  if (options.look_ahead <= Seconds(0)) in.refuse();  // would never play
  options.reaction = Seconds(seconds_in(in, 60));
  options.velocity.constant = in.number_in<std::int32_t>(0, 127);
  options.velocity.seed = in.number<std::uint64_t>();
  const auto branches = in.number<std::uint32_t>();
  const auto next_take = in.number_in<std::int32_t>(1, 1 << 30);
  const std::size_t count = in.count(4 + 3 * 8 + 8);
  std::vector<Take> takes;
  for (std::size_t i = 0; i < count && i < kMostTakes; ++i) {
    const auto id = in.number<std::int32_t>();
    const auto at = in.number<EventIndex>();
    const Ticks10ms from = time_in(in), until = time_in(in);
    MIDINF_TRY_ASSIGN(take, generator_in(in));
    if (at > generator.end_index() || at < take.first_index() || at > take.end_index()) in.refuse();
    takes.push_back({id, at, from, until, std::move(take)});
  }
  std::vector<std::byte> attached = in.blob();
  MIDINF_TRY(in.finish());
  std::unique_ptr<Stream> stream(new Stream(std::move(network), std::move(pool), std::move(generator), options));
  stream->music_start_ = music_start;
  stream->branches_ = branches;
  stream->next_take_ = next_take;
  stream->takes_ = std::move(takes);
  stream->seek_to(std::min(playhead, stream->generator_.now()));
  stream->seek_pending_.reset();
  if (attachment != nullptr) *attachment = std::move(attached);
  return stream;
}

}  // namespace midinf

// A generator as bytes, and back.
#include "stream/generator.h"
#include "stream/saved.h"
#include "tokens/triplets.h"

namespace midinf {
namespace {

constexpr std::string_view kMagic = "MIDINFGE";
constexpr std::uint32_t kVersion = 2;  // 1 knew no pace
constexpr std::size_t kMarkBytes = 4 * 8 + 8 + 1 + 8 + 4 + 4 + 1;

}  // namespace

std::vector<std::byte> Generator::save() const {
  SaveWriter out(kMagic, kVersion);
  out.settings(settings_);
  out.triplets(history_);
  out.number(first_);
  out.number(prompt_end_);
  out.number<std::uint64_t>(marks_.size());
  for (const Mark& mark : marks_) {
    out.number(mark.at);
    out.number(mark.window_start);
    out.number(mark.floor.count());
    out.number(mark.latest.count());
    out.number(mark.slides);
    out.number(mark.attempt);
    out.number(mark.until);
    out.number(mark.watched_from);
    out.number(mark.counts.recoveries);
    out.number(mark.counts.given_up);
    out.number(static_cast<std::uint8_t>(mark.counts.last));
  }
  return out.finish();
}

Result<Generator> Generator::restore(std::span<const std::byte> bytes) {
  MIDINF_TRY_ASSIGN(in, SaveReader::open(bytes, kMagic, kVersion));
  Generator generator;
  generator.settings_ = in.settings();
  generator.history_ = in.triplets();
  generator.first_ = in.number_in<EventIndex>(0, std::uint64_t{1} << 62);
  generator.prompt_end_ = in.number<EventIndex>();
  generator.marks_.resize(in.count(kMarkBytes));
  EventIndex before = 0;
  for (Mark& mark : generator.marks_) {
    mark.at = in.number_in<EventIndex>(before, generator.end_index());
    mark.window_start = in.number_in<EventIndex>(0, mark.at);
    mark.floor = Ticks10ms(in.number_in<std::int64_t>(-kMaxSongSteps, kMaxSongSteps));
    mark.latest = Ticks10ms(in.number<std::int64_t>());
    if (mark.latest != kNoLimit && (mark.latest.count() > 2 * kMaxSongSteps || mark.latest.count() < -kMaxSongSteps))
      in.refuse();
    mark.slides = in.number<std::uint64_t>();
    mark.attempt = in.number_in<std::uint8_t>(0, kMostAttempts + 1);
    mark.until = in.number<EventIndex>();
    mark.watched_from = in.number_in<EventIndex>(0, mark.at);
    mark.counts.recoveries = in.number<std::uint32_t>();
    mark.counts.given_up = in.number<std::uint32_t>();
    mark.counts.last = static_cast<Trouble>(in.number_in<std::uint8_t>(0, static_cast<std::uint8_t>(Trouble::kCrowd)));
    before = mark.at + 1;
  }
  // The first mark must hold for the first event left, the last one's window must be there.
  if (generator.marks_.empty() || generator.marks_.front().at > generator.first_ ||
      generator.state().window_start < generator.first_)
    in.refuse();
  MIDINF_TRY(in.finish());
  return generator;
}

}  // namespace midinf

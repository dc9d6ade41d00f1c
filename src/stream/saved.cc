#include "stream/saved.h"

#include <cmath>
#include <limits>

#include "tokens/triplets.h"

namespace midinf {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace

SaveWriter::SaveWriter(std::string_view magic, std::uint32_t version) {
  writer_.raw(bytes_of(magic));
  number(version);
}

void SaveWriter::blob(std::span<const std::byte> bytes) {
  number<std::uint64_t>(bytes.size());
  writer_.raw(bytes);
}

void SaveWriter::triplets(std::span<const Triplet> triplets) {
  number<std::uint64_t>(triplets.size());
  for (const Triplet& t : triplets) number(t.onset), number(t.duration), number(t.note);
}

void SaveWriter::settings(const Settings& s) {
  number(s.seed);
  number(s.temperature);
  number(s.top_p);
  number<std::int32_t>(s.top_k);
  number(s.min_p);
  number<std::uint64_t>(s.ensemble.size());
  for (const int instrument : s.ensemble) number(static_cast<std::uint8_t>(instrument));
  number(s.density);
  number(static_cast<std::uint8_t>(s.density_unit));
  number<std::int32_t>(s.instrument_cap);
  number(s.frequency_penalty);
  number<std::int32_t>(s.polyphony);
  number(s.scale);
  number<std::uint64_t>(s.pitch_ranges.size());
  for (const PitchRange& range : s.pitch_ranges)
    for (const int value : {range.instrument, range.lowest, range.highest}) number(static_cast<std::uint8_t>(value));
  number(static_cast<std::uint8_t>(s.recover));
  number(static_cast<std::uint8_t>(s.reference));
  number<std::int32_t>(s.pace);
}

std::vector<std::byte> SaveWriter::finish() {
  number(crc32(writer_.bytes()));
  return writer_.bytes();
}

Result<SaveReader> SaveReader::open(std::span<const std::byte> bytes, std::string_view magic, std::uint32_t newest) {
  constexpr std::size_t kChecksum = 4;
  ByteCursor head(bytes);
  if (head.take_text(magic.size()) != magic)
    return fail(ErrorCode::kCorrupt, "it does not begin as a file of this kind does");
  const auto version = head.little_endian<std::uint32_t>();
  if (!version || head.remaining() < kChecksum) return fail(ErrorCode::kCorrupt, "it was cut off");
  if (*version == 0 || *version > newest)
    return fail(ErrorCode::kUnsupported, "it was written by a newer version of midinfinite; update to open it");
  const std::size_t end = bytes.size() - kChecksum;
  ByteCursor tail(bytes.subspan(end));
  if (tail.little_endian<std::uint32_t>() != crc32(bytes.first(end)))
    return fail(ErrorCode::kCorrupt, "it is damaged: its checksum does not match; use a copy of it");
  SaveReader reader(bytes.subspan(head.position(), end - head.position()));
  reader.version_ = *version;
  return reader;
}

std::size_t SaveReader::count(std::size_t bytes_each) {
  const auto n = number<std::uint64_t>();
  return n <= cursor_.remaining() / bytes_each ? static_cast<std::size_t>(n) : refuse<std::size_t>();
}

std::vector<std::byte> SaveReader::blob() {
  const auto taken = cursor_.take(count(1));
  if (!taken) return refuse<std::vector<std::byte>>();
  return {taken->begin(), taken->end()};
}

std::vector<Triplet> SaveReader::triplets() {
  std::vector<Triplet> triplets(count(3 * sizeof(TokenId)));
  TokenId before = 0;
  for (Triplet& t : triplets) {
    t = {number<TokenId>(), number<TokenId>(), number<TokenId>()};
    if (!is_well_formed(t) || is_control(t)) {
      failed_ = true;
      return {};
    }
    if (is_separator(t)) {
      if (&t != &triplets.front()) failed_ = true;  // a piece has one, before its first event
      continue;
    }
    if (t.onset < before || t.onset > kMaxSongSteps) failed_ = true;
    before = t.onset;
  }
  return triplets;
}

Settings SaveReader::settings() {
  Settings s;
  s.seed = number<std::uint64_t>();
  s.temperature = number<double>();
  s.top_p = number<double>();
  s.top_k = number<std::int32_t>();
  s.min_p = number<double>();
  s.ensemble.resize(count(1));
  for (int& instrument : s.ensemble) instrument = number<std::uint8_t>();
  s.density = number<double>();
  s.density_unit = static_cast<DensityUnit>(number_in<std::uint8_t>(0, 1));
  s.instrument_cap = number<std::int32_t>();
  s.frequency_penalty = number<double>();
  s.polyphony = number<std::int32_t>();
  s.scale = number<std::uint16_t>();
  s.pitch_ranges.resize(count(3));
  for (PitchRange& range : s.pitch_ranges)
    range = {number<std::uint8_t>(), number<std::uint8_t>(), number<std::uint8_t>()};
  s.recover = flag();
  s.reference = flag();
  if (version_ >= 2) s.pace = number<std::int32_t>();
  if (!check_settings(s)) {
    failed_ = true;
    return {};
  }
  return s;
}

Result<void> SaveReader::finish() const {
  if (failed_ || !cursor_.at_end())
    return fail(ErrorCode::kCorrupt,
                "its checksum holds but its contents make no sense; it was not written by midinfinite");
  return {};
}

}  // namespace midinf

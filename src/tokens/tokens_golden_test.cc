// Every file of tests/data/midi against the reference's results (tests/data/golden/tokens.json, made with
// jthickstun/anticipation@af37397 and mido 1.2.10): events, pad, clip, translate, and the way back through our writer.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sodium.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>

#include "midi/smf_reader.h"
#include "midi/smf_writer.h"
#include "tokens/operations.h"
#include "tokens/triplet_text.h"
#include "tokens/triplets.h"

namespace midinf {
namespace {

using nlohmann::json;

static_assert(kMaxSongSteps == kMaxSongSeconds * kTicksPerSecond, "whatever is read must have ids");

// The hash of the golden file: of the ids in decimal, joined by one space.
std::string sha256(const std::vector<Triplet>& triplets) {
  const std::string text = fmt::format("{}", fmt::join(flatten(triplets), " "));
  unsigned char hash[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(hash, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  return fmt::format("{:02x}", fmt::join(hash, ""));
}

const json& golden() {
  static const json files = [] {
    std::ifstream in(MIDINF_TEST_DATA "/golden/tokens.json");
    return json::parse(in, nullptr, false)["files"];
  }();
  return files;
}

// In all three ids, not only by time: so the golden round trips are.
std::vector<Triplet> sorted(std::vector<Triplet> triplets) {
  std::ranges::sort(triplets, {}, [](const Triplet& t) { return std::tuple(t.onset, t.duration, t.note); });
  return triplets;
}

class Golden : public ::testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] const json& expected() const { return golden()[GetParam()]; }
  [[nodiscard]] Result<MidiSong> read() const { return read_midi_file(MIDINF_TEST_DATA "/midi/" + GetParam()); }
};

TEST_P(Golden, TokensAreTheReferences) {
  const json& want = expected();
  const auto song = read();
  if (want.contains("error")) {
    // ValueError here is Python's min() of no events: the file is sound and silent. The others are refused.
    if (want["error"] == "ValueError") {
      ASSERT_TRUE(song) << song.error().to_string();
      EXPECT_TRUE(song->notes.empty());
    } else {
      ASSERT_FALSE(song) << "the reference has " << want["error"];
      EXPECT_NE(song.error().where.find(": byte "), std::string::npos) << song.error().to_string();
      EXPECT_EQ(song.error().message.find('\n'), std::string::npos);
    }
    return;
  }
  ASSERT_TRUE(song) << song.error().to_string();

  const std::vector<Triplet> events = to_triplets(song->notes);
  const std::vector<TokenId> ids = flatten(events);
  const auto first = want["first"].get<std::vector<TokenId>>();
  EXPECT_EQ(std::vector(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(std::min(ids.size(), first.size()))),
            first);
  EXPECT_EQ(events.size(), want["n_events"].get<std::size_t>());
  EXPECT_EQ(sha256(events), want["events_sha256"].get<std::string>());
  std::map<std::string, int> instruments;
  for (const Triplet& event : events) ++instruments[std::to_string(instrument_of(event))];
  EXPECT_EQ(json(instruments), want["instruments"]);
  EXPECT_EQ(max_time(events).count(), want["max_time"].get<std::int64_t>());

  const std::vector<Triplet> padded = pad(events);
  EXPECT_EQ(padded.size(), want["n_padded"].get<std::size_t>());
  EXPECT_EQ(sha256(padded), want["pad_sha256"].get<std::string>());
  EXPECT_EQ(unpad(padded), events);

  const std::vector<Triplet> clipped = clip(events, Seconds(10), Seconds(30));
  EXPECT_EQ(clipped.size(), want["n_clip"].get<std::size_t>());
  EXPECT_EQ(sha256(clipped), want["clip_10_30_sha256"].get<std::string>());
  EXPECT_EQ(sha256(translate(clipped, Ticks10ms(-min_time(clipped).count()))),
            want["clip_translated_sha256"].get<std::string>());
}

TEST_P(Golden, TheWayBackThroughOurWriterLosesNothing) {
  const json& want = expected();
  const auto song = read();
  if (!song) return;
  const std::vector<Triplet> events = to_triplets(song->notes);
  const WrittenMidi written = write_midi(to_notes(events));
  const auto again = read_midi(written.bytes);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_TRUE(again->warnings.empty());
  const std::vector<Triplet> events_again = to_triplets(again->notes);
  EXPECT_EQ(events_again.size(), events.size());
  if (want.contains("roundtrip_sorted_sha256")) {
    EXPECT_EQ(sha256(sorted(events_again)), want["roundtrip_sorted_sha256"].get<std::string>());
  }
  // Once written, notes of a key are in first-in-first-out order, those of one instant in the order of their tracks,
  // and nothing changes any more, on the way through text either.
  const auto text = triplets_from_text(to_text(events_again));
  ASSERT_TRUE(text) << text.error().to_string();
  EXPECT_EQ(*text, events_again);
  const auto third = read_midi(write_midi(to_notes(*text)).bytes);
  ASSERT_TRUE(third);
  EXPECT_EQ(to_triplets(third->notes), events_again);
}

std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  for (const auto& [name, unused] : golden().items()) names.push_back(name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(, Golden, ::testing::ValuesIn(golden_names()), [](const auto& instance) {
  std::string name = instance.param;
  std::ranges::replace_if(name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
});

TEST(GoldenFile, NamesEveryMidiFile) {
  EXPECT_EQ(golden().size(), 91u);
}

}  // namespace
}  // namespace midinf

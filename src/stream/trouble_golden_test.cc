// Real music must seldom look dead: at most 5 % of its minutes.
#include <gtest/gtest.h>

#include <filesystem>
#include <iostream>
#include <map>
#include <set>

#include "midi/smf_reader.h"
#include "stream/trouble.h"
#include "tokens/operations.h"
#include "tokens/triplets.h"

namespace midinf {
namespace {

TEST(Trouble, IsFoundInFewMinutesOfRealMusic) {
  std::size_t minutes = 0;
  std::set<std::pair<std::string, std::int64_t>> troubled;
  std::map<Trouble, int> kinds;
  for (const auto& entry : std::filesystem::directory_iterator(MIDINF_TEST_DATA "/midi")) {
    if (!entry.is_regular_file()) continue;  // edge-cases/ holds no music
    const auto song = read_midi_file(entry.path().string());
    if (!song || song->notes.empty()) continue;
    const auto events = pad(sort(to_triplets(song->notes)));
    minutes += static_cast<std::size_t>(onset_of(events.back()).count() / 6'000) + 1;
    std::set<std::pair<Trouble, std::int64_t>> here;
    for (std::size_t i = 1; i <= events.size(); ++i) {
      const auto history = std::span(events).first(i).last(std::min<std::size_t>(i, 2'048));
      const FoundTrouble found = find_trouble(history, onset_of(events[i - 1]), i);
      if (found.kind == Trouble::kNone) continue;
      const std::int64_t minute = onset_of(events[i - 1]).count() / 6'000;
      here.emplace(found.kind, minute);
      troubled.emplace(entry.path().filename().string(), minute);
    }
    for (const auto& [kind, minute] : here) {
      ++kinds[kind];
      std::cout << entry.path().filename().string() << " minute " << minute << ": " << trouble_name(kind) << '\n';
    }
  }
  std::cout << troubled.size() << " of " << minutes << " minutes\n";
  ASSERT_GT(minutes, 30U);
  EXPECT_LE(static_cast<double>(troubled.size()), 0.05 * static_cast<double>(minutes));
}

}  // namespace
}  // namespace midinf

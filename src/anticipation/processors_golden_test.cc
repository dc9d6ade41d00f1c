// The whole chain on what mini's network said, against its definition in doubles: the same distribution, and draws that
// follow it.
#include <gtest/gtest.h>

#include "anticipation/plain_chain.h"
#include "anticipation/scale.h"
#include "model/golden_logits.h"
#include "sampling/draw.h"
#include "sampling/random.h"

namespace midinf {
namespace {

// A piece of the held-out set: drums, strings, timpani, trumpet and a synthesizer in 341 events.
class Golden : public testing::Test {
 protected:
  Golden() {
    for (std::size_t i = 1; i + 2 < golden_.tokens.size(); i += 3)
      history_.push_back({golden_.tokens[i], golden_.tokens[i + 1], golden_.tokens[i + 2]});
  }
  // What the network said at the golden position `index`, as if it stood at the end of the piece, 500 s into a stream.
  StepContext context(std::size_t index) {
    stream_ = history_;
    for (Triplet& event : stream_)
      if (!is_separator(event)) event.onset += 50'000;
    const TokenId now = history_.back().onset;
    return {.history = stream_,
            .window_events = 300,
            .window_origin = Ticks10ms(50'000),
            .now = Ticks10ms(50'000 + now),
            .slot = static_cast<Slot>(golden_.positions[index] % 3),
            .drawn = {now + 20, kDurationBase + 30, 0}};
  }
  std::span<const float> logits(std::size_t index) {
    return std::span(golden_.logits).subspan(index * kVocabulary, kVocabulary);
  }
  PlainLogits exact(const Settings& settings, std::size_t index) {
    return plain_chain(settings, context(index), {logits(index).begin(), logits(index).end()});
  }

  GoldenLogits golden_{MIDINF_TEST_DATA "/golden/mini-q8_0/reference_logits.safetensors"};
  std::vector<Triplet> history_, stream_;
};

// Which golden position is an onset, a duration, a note.
constexpr std::size_t kFirstOnset = 0, kFirstDuration = 1, kFirstNote = 2, kLaterOnset = 4;

struct Taste {
  Settings settings;
  std::size_t index;  // of the position to draw at
};

const std::vector<Taste>& tastes() {
  static const std::vector<Taste> all{
      {{}, kFirstNote},
      {{.top_p = 1}, kFirstDuration},
      {{.temperature = 0.7, .top_p = 0.9}, kFirstOnset},
      {{.temperature = 1.5, .top_p = 1, .top_k = 40}, kFirstNote},
      {{.top_p = 1, .min_p = 0.02}, kFirstDuration},
      {{.temperature = 1.5, .top_p = 0.95, .top_k = 100, .min_p = 0.005}, kLaterOnset},
      {{.ensemble = {0, 33, 47, 48, 56, 128}, .density = 0.05, .density_unit = DensityUnit::kSeconds}, kFirstNote},
      {{.ensemble = {0, 33, 47, 48, 56, 128}, .density = 0.02, .instrument_cap = 4}, kFirstNote},
      {{.top_p = 1, .top_k = 50, .polyphony = 6}, kFirstOnset},
      {{.top_p = 1, .top_k = 50, .pace = 5}, kLaterOnset},
      {{.frequency_penalty = -0.1, .scale = *parse_scale("C minor pentatonic"), .pitch_ranges = {{48, 50, 70}}},
       kFirstNote},
      {{.temperature = 1.1,
        .top_p = 0.97,
        .top_k = 300,
        .min_p = 0.001,
        .ensemble = {47, 48, 56, 99, 128},
        .density = 0.03,
        .instrument_cap = 4,
        .frequency_penalty = 0.2,
        .polyphony = 4,
        .scale = *parse_scale("a minor"),
        .pitch_ranges = {{128, 35, 60}, {48, 36, 84}}},
       kFirstNote}};
  return all;
}

TEST_F(Golden, TheChainGivesTheExactDistribution) {
  for (std::size_t taste = 0; taste < tastes().size(); ++taste)
    for (std::size_t index = 0; index < golden_.positions.size(); ++index)
      EXPECT_LT(difference(through_processors(tastes()[taste].settings, context(index), logits(index)),
                           exact(tastes()[taste].settings, index)),
                1e-5)
          << "settings " << taste << ", position " << golden_.positions[index];
}

// The probability that chi-square is at least that high by chance (Wilson and Hilferty's approximation).
double chance(double chi_square, double freedom) {
  const double z = (std::cbrt(chi_square / freedom) - (1 - 2 / (9 * freedom))) / std::sqrt(2 / (9 * freedom));
  return std::erfc(z / std::sqrt(2)) / 2;
}

TEST_F(Golden, AHundredThousandDrawsFollowTheExactDistribution) {
  constexpr int kDraws = 100'000;
  for (std::size_t taste = 0; taste < tastes().size(); ++taste) {
    const auto& [settings, index] = tastes()[taste];
    const Narrowed drawn_from = through_processors(settings, context(index), logits(index));
    const PlainLogits probability = exact(settings, index);
    std::vector<int> count(kVocabulary);
    for (std::uint64_t i = 0; i < kDraws; ++i) {
      const int at =
          draw(drawn_from.logits, uniform(1'000 + taste, i, static_cast<std::uint32_t>(context(index).slot)));
      ++count[static_cast<std::size_t>(drawn_from.rows.id_at(at))];
    }
    double chi_square = 0, rare = 0;
    int rare_count = 0, cells = 0;
    const auto add = [&](double expected, int seen) {
      chi_square += (seen - expected) * (seen - expected) / expected;
      ++cells;
    };
    for (std::size_t id = 0; id < count.size(); ++id) {
      const double expected = kDraws * probability[id];
      if (expected >= 5) {
        add(expected, count[id]);
      } else {
        rare += expected, rare_count += count[id];
      }
      EXPECT_TRUE(probability[id] > 0 || count[id] == 0) << "id " << id;
    }
    if (rare >= 5) add(rare, rare_count);
    ASSERT_GT(cells, 1) << "settings " << taste;
    EXPECT_GT(chance(chi_square, cells - 1), 1e-4) << "settings " << taste << ": " << chi_square << " of " << cells;
  }
}

}  // namespace
}  // namespace midinf

// The embedded model on the fast path, every kernel set: PyTorch's logits and its greedy continuation.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "model/checkpoint.h"
#include "model/forward.h"
#include "model/golden_logits.h"
#include "stream/generator.h"
#include "tokens/triplets.h"

namespace midinf {
namespace {

class MiniGolden : public testing::TestWithParam<const KernelSet*> {
 protected:
  static Decoder decoder(const std::string& model, bool exact = false) {
    const auto checkpoint = open_checkpoint(model);
    EXPECT_TRUE(checkpoint) << checkpoint.error().to_string();
    return {*Network::load(**checkpoint, *GetParam(), {.exact = exact}), std::make_shared<ComputePool>(2)};
  }
};

void expect_golden_logits(Decoder decoder, const GoldenLogits& golden, bool quantizes) {
  const RowRanges all{{0, decoder.config().vocabulary}};
  const auto vocabulary = static_cast<std::size_t>(all.size());
  for (std::size_t i = 0; i < golden.positions.size(); ++i) {
    const auto read = static_cast<std::size_t>(golden.positions[i]) + 1;
    const auto logits = decoder.logits(std::span(golden.tokens).first(read), all);
    double largest = 0, squares = 0;
    for (std::size_t id = 0; id < vocabulary; ++id) {
      const double difference = std::abs(logits[id] - golden.logits[i * vocabulary + id]);
      largest = std::max(largest, difference);
      squares += difference * difference;
    }
    // Float32 sums in another order; or activations of 7 bits, keys and values of 8.
    EXPECT_LT(largest, quantizes ? 0.8 : 1e-3) << "position " << golden.positions[i];
    EXPECT_LT(std::sqrt(squares / static_cast<double>(vocabulary)), quantizes ? 0.1 : 1e-3);
  }
}

TEST_P(MiniGolden, LogitsAreThoseOfPyTorch) {
  for (const bool exact : {true, false})
    expect_golden_logits(decoder(MIDINF_SOURCE_DIR "/models/mini-q8_0.gguf", exact),
                         GoldenLogits(MIDINF_TEST_DATA "/golden/mini-q8_0/reference_logits.safetensors"),
                         GetParam()->quantizes && !exact);
  for (const char* tiny : {"tiny", "tiny-inverse-layer"})
    expect_golden_logits(
        decoder(std::string(MIDINF_TEST_DATA "/golden/") + tiny),
        GoldenLogits(std::string(MIDINF_TEST_DATA "/golden/") + tiny + "/reference_logits.safetensors"), false);
}

TEST_P(MiniGolden, GreedyContinuationComesOutExactly) {
  const auto golden = nlohmann::json::parse(std::ifstream(MIDINF_TEST_DATA "/golden/mini-q8_0/greedy.json"));
  const auto prompt = golden["prompt"].get<std::vector<TokenId>>();
  const auto expected = golden["continuation"].get<std::vector<TokenId>>();
  const std::vector<Triplet> events = *triplets_from_ids(std::span(prompt).subspan(1));
  // REST is never drawn there, which is what an ensemble of all instruments less REST would do; no top id is one.
  Generator generator({.temperature = 0}, {events, onset_of(events.back())});
  Decoder network = decoder(MIDINF_SOURCE_DIR "/models/mini-q8_0.gguf");
  const LogitSource logits = [&](const LogitRequest& request) { return network.logits(request.context, request.rows); };
  std::vector<Triplet> drawn;
  while (drawn.size() * 3 < expected.size()) {
    next_event(generator, logits);
    drawn.push_back(generator.history().back());
  }
  EXPECT_EQ(flatten(drawn), expected);
}

INSTANTIATE_TEST_SUITE_P(Sets, MiniGolden, testing::ValuesIn(available_kernels().begin(), available_kernels().end()),
                         [](const auto& set) { return std::string(set.param->name); });

}  // namespace
}  // namespace midinf

// The reference's own `generate`, reproduced note for note behind the `reference` switch (top_p = 0: always the top
// id).
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "model/checkpoint.h"
#include "model/forward.h"
#include "stream/generator.h"
#include "tokens/operations.h"
#include "tokens/triplets.h"

namespace midinf {
namespace {

// generate(start, end, inputs) of anticipation/sample.py@af37397, for inputs that all begin at or before `start`.
std::vector<Triplet> generate_like_the_reference(Decoder& decoder, const nlohmann::json& golden) {
  const Ticks10ms start = to_ticks(Seconds(golden["start_seconds"].get<double>()));
  const Ticks10ms end = to_ticks(Seconds(golden["end_seconds"].get<double>()));
  const auto inputs = *triplets_from_ids(golden["inputs"].get<std::vector<TokenId>>());
  Generator generator({.top_p = 0, .reference = true},
                      {pad(clip(inputs, Ticks10ms(0), start, ClipDuration::kKeep), start), start});
  const LogitSource logits = [&](const LogitRequest& request) { return decoder.logits(request.context, request.rows); };
  do next_event(generator, logits);
  while (onset_of(generator.history().back()) < end);
  const auto drawn = generator.history();
  return sort(unpad(drawn.first(drawn.size() - 1)));
}

class SamplerGolden : public testing::TestWithParam<const char*> {};

TEST_P(SamplerGolden, ComesOutExactly) {
  const auto golden =
      nlohmann::json::parse(std::ifstream(MIDINF_TEST_DATA "/golden/sampler.json"))["cases"][GetParam()];
  const auto checkpoint = open_checkpoint(MIDINF_SOURCE_DIR "/models/mini-q8_0.gguf");
  ASSERT_TRUE(checkpoint) << checkpoint.error().to_string();
  Decoder decoder(*Network::load(**checkpoint, **select_kernels(), {.exact = true}), std::make_shared<ComputePool>(2));
  EXPECT_EQ(flatten(generate_like_the_reference(decoder, golden)), golden["result"].get<std::vector<TokenId>>());
}

INSTANTIATE_TEST_SUITE_P(Cases, SamplerGolden, testing::Values("continue", "beyond-the-window"));

}  // namespace
}  // namespace midinf

// The golden networks: every form of a checkpoint gives the same tensors, and those give the logits that PyTorch
// computed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "model/checkpoint.h"
#include "model/convert.h"
#include "model/forward_reference.h"
#include "model/gguf_checkpoint.h"
#include "model/golden_logits.h"
#include "model/test_files.h"

namespace midinf {
namespace {

const std::string kGolden = MIDINF_TEST_DATA "/golden/";

std::unique_ptr<Checkpoint> open(const std::string& path) {
  auto checkpoint = open_checkpoint(path);
  EXPECT_TRUE(checkpoint) << checkpoint.error().to_string();
  return std::move(*checkpoint);
}

void expect_same_tensors(const Checkpoint& a, const Checkpoint& b, bool queries_scaled = false) {
  ASSERT_EQ(a.tensors().size(), b.tensors().size());
  for (const TensorInfo& info : a.tensors()) {
    std::vector<float> expected = *a.read(info.name);
    if (queries_scaled && info.name.find(".attn_qkv.") != std::string::npos)
      for (std::size_t i = 0; i < expected.size() / 3; ++i) expected[i] /= static_cast<float>(info.name[4] - '0' + 1);
    EXPECT_EQ(expected, *b.read(info.name)) << info.name;
  }
}

void expect_golden_logits(const Checkpoint& checkpoint, const GoldenLogits& reference) {
  const auto vocabulary = static_cast<std::size_t>(checkpoint.config().vocabulary);
  ASSERT_EQ(reference.logits.size(), reference.positions.size() * vocabulary);
  auto network = ReferenceNetwork::load(checkpoint);
  ASSERT_TRUE(network) << network.error().to_string();
  std::size_t next = 0;
  for (std::size_t i = 0; i < reference.tokens.size(); ++i) {
    network->read(reference.tokens[i]);
    if (next == reference.positions.size() || static_cast<std::size_t>(reference.positions[next]) != i) continue;
    const auto logits = network->logits({{0, checkpoint.config().vocabulary}});
    double largest = 0;
    for (std::size_t row = 0; row < vocabulary; ++row)
      largest = std::max<double>(largest, std::abs(logits[row] - reference.logits[next * vocabulary + row]));
    // Sums in another order; 2e-6 was seen. A wrong layout or scale is off by whole numbers.
    EXPECT_LT(largest, 1e-3) << "position " << i;
    ++next;
  }
  EXPECT_EQ(next, reference.positions.size());
}

TEST(GoldenCheckpoint, AllFormsHoldTheSameTensors) {
  const auto safetensors = open(kGolden + "tiny");
  EXPECT_EQ(safetensors->config(),
            (Gpt2Config{.layers = 3, .heads = 2, .width = 32, .context = 1024, .vocabulary = 55028}));
  EXPECT_EQ(safetensors->find("token_embd.weight")->dtype, DType::kF16) << "a folder's safetensors file wins";
  const auto bin = open(kGolden + "tiny/pytorch_model.bin");
  EXPECT_EQ(bin->find("token_embd.weight")->dtype, DType::kF32);
  expect_same_tensors(*safetensors, *bin);
  // The same weights with a prefix, mask buffers, a copy of the head, half precision and inverse layer scaling.
  expect_same_tensors(*safetensors, *open(kGolden + "tiny-inverse-layer"), /*queries_scaled=*/true);
}

TEST(GoldenCheckpoint, LogitsAreThoseOfPyTorch) {
  expect_golden_logits(*open(kGolden + "tiny"), GoldenLogits(kGolden + "tiny/reference_logits.safetensors"));
  expect_golden_logits(*open(kGolden + "tiny-inverse-layer"),
                       GoldenLogits(kGolden + "tiny-inverse-layer/reference_logits.safetensors"));
}

TEST(GoldenCheckpoint, LogitsStandConversionToFloat32AndFloat16) {
  for (const DType type : {DType::kF32, DType::kF16}) {
    const auto out = std::make_shared<MemoryWriter>();
    ASSERT_TRUE(convert(*open(kGolden + "tiny-inverse-layer"), *out, {type, {}, {}}));
    const auto checkpoint = gguf_checkpoint(out->bytes, out);
    ASSERT_TRUE(checkpoint) << checkpoint.error().to_string();
    // Folding makes the queries of later layers no float16 any more (1/3); the rest is exact in either type.
    expect_golden_logits(**checkpoint, GoldenLogits(kGolden + "tiny-inverse-layer/reference_logits.safetensors"));
  }
}

}  // namespace
}  // namespace midinf

#include "model/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/test_files.h"

namespace midinf {
namespace {

using testing::HasSubstr;

Bytes file(std::string_view header, std::size_t data_bytes) {
  return ByteBuilder().long_text(header).raw(Bytes(data_bytes)).bytes();
}

std::string error_of(const Bytes& bytes) {
  const auto result = parse_safetensors(bytes);
  return result ? "accepted" : result.error().to_string();
}

const std::vector<NamedTensor> kTensors = {
    {"a", {2, 3}, {1, 2, 3, 4, 5, 6}}, {"b.weight", {1}, {-7}}, {"empty", {0, 5}, {}}};

TEST(Safetensors, FindsTensorsInTheOrderOfTheirBytes) {
  const Bytes bytes = safetensors_file(kTensors);
  EXPECT_TRUE(looks_like_safetensors(bytes));
  const auto tensors = parse_safetensors(bytes);
  ASSERT_TRUE(tensors) << tensors.error().to_string();
  ASSERT_EQ(tensors->size(), 3U);
  EXPECT_EQ((*tensors)[0].name, "a");
  EXPECT_EQ((*tensors)[0].dtype, DType::kF32);
  EXPECT_EQ(shape_text((*tensors)[0].shape), "[2, 3]");
  std::vector<float> row(3);
  read_row((*tensors)[0], 1, row);
  EXPECT_THAT(row, testing::ElementsAre(4, 5, 6));
  EXPECT_TRUE((*tensors)[2].bytes.empty());
}

TEST(Safetensors, ListsTypesThatAreNoWeightsWithoutADtype) {
  const auto tensors = parse_safetensors(file(R"({"m":{"dtype":"BOOL","shape":[4],"data_offsets":[0,4]}})", 4));
  ASSERT_TRUE(tensors);
  EXPECT_FALSE((*tensors)[0].dtype);
  EXPECT_EQ((*tensors)[0].type, "BOOL");
}

TEST(Safetensors, RefusesEveryTruncation) {
  const Bytes whole = safetensors_file({kTensors[0], kTensors[1]});
  for_each_truncation(whole, [](const Bytes& cut) { EXPECT_FALSE(parse_safetensors(cut)) << cut.size(); });
}

TEST(Safetensors, SurvivesAnyChange) {
  const Bytes whole = safetensors_file(kTensors);
  for_each_mutation(whole, whole.size(), 20000, [](const Bytes& changed) {
    if (const auto tensors = parse_safetensors(changed))
      for (const RawTensor& tensor : *tensors) {
        if (!tensor.dtype || tensor.shape.empty() || tensor.shape.size() > 2 || tensor.bytes.empty()) continue;
        std::vector<float> row(static_cast<std::size_t>(tensor.shape.back()));
        read_row(tensor, tensor.shape.size() == 2 ? tensor.shape[0] - 1 : 0, row);
      }
  });
}

TEST(Safetensors, RefusesHeadersThatLie) {
  EXPECT_THAT(error_of({}), HasSubstr("too short"));
  EXPECT_THAT(error_of(ByteBuilder().u64(1ULL << 60).text("{}").bytes()), HasSubstr("not plausible"));
  EXPECT_THAT(error_of(ByteBuilder().u64(90).text("{}").bytes()), HasSubstr("needs 90 bytes"));
  EXPECT_THAT(error_of(file("[1]", 0)), HasSubstr("not a JSON object"));
  EXPECT_THAT(error_of(file("{\"a\":", 0)), HasSubstr("not a JSON object"));
  EXPECT_THAT(error_of(file(R"({"a":3})", 0)), HasSubstr("tensor 'a': its header entry needs"));
  EXPECT_THAT(error_of(file(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4)),
              HasSubstr("needs dtype"));
  EXPECT_THAT(error_of(file(R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4)),
              HasSubstr("needs dtype"));
  EXPECT_THAT(error_of(file(R"({"a":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}})", 4)),
              HasSubstr("unknown element type 'F4'"));
  EXPECT_THAT(error_of(file(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4)),
              HasSubstr("outside the 4 bytes"));
  EXPECT_THAT(error_of(file(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 8)), HasSubstr("lie outside"));
  EXPECT_THAT(error_of(file(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4)),
              HasSubstr("shape [2] of F32 does not fill"));
  // 2^60 · 16 is 0 in 64 bits.
  EXPECT_THAT(error_of(file(R"({"a":{"dtype":"F32","shape":[1152921504606846976,16],"data_offsets":[0,0]}})", 4)),
              HasSubstr("does not fill"));
  EXPECT_THAT(
      error_of(file(
          R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
          8)),
      HasSubstr("tensor 'a': the name stands twice"));
  EXPECT_THAT(
      error_of(file(
          R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
          8)),
      HasSubstr("overlap those of tensor 'a'"));
  const std::string deep = std::string(200000, '[');
  EXPECT_THAT(error_of(file("{\"a\":" + deep, 0)), HasSubstr("not a JSON object"));
}

}  // namespace
}  // namespace midinf

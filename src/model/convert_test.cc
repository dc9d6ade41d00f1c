// From a checkpoint to a GGUF file and back.
#include "model/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "model/gguf_checkpoint.h"
#include "model/network.h"
#include "model/quantize.h"
#include "model/random_checkpoint.h"
#include "model/test_files.h"

namespace midinf {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr Gpt2Config kShape{
    .layers = 2, .heads = 2, .width = 32, .context = 5, .vocabulary = 12, .layer_norm_epsilon = 3e-5F};

Bytes converted(const Checkpoint& checkpoint, DType type, GgufMetadata metadata = {}) {
  MemoryWriter out;
  const auto done = convert(checkpoint, out, {type, std::move(metadata), {}});
  EXPECT_TRUE(done) << done.error().to_string();
  return out.bytes;
}

std::unique_ptr<Checkpoint> opened(const Bytes& bytes) {
  const auto kept = std::make_shared<Bytes>(bytes);
  auto checkpoint = gguf_checkpoint(*kept, kept);
  EXPECT_TRUE(checkpoint) << checkpoint.error().to_string();
  return checkpoint ? std::move(*checkpoint) : nullptr;
}

std::string error_of(const Bytes& bytes) {
  const auto checkpoint = gguf_checkpoint(bytes, nullptr);
  return checkpoint ? "accepted" : checkpoint.error().to_string();
}

// The file of a random network with its tables changed.
template <class Change>
Bytes rewritten(const Bytes& file, Change change) {
  Gguf gguf = *parse_gguf(file);
  change(gguf);
  MemoryWriter out;
  EXPECT_TRUE(write_gguf(out, gguf.metadata, gguf.tensors, [&](std::size_t i) -> Result<Bytes> {
    return Bytes(gguf.tensors[i].bytes.begin(), gguf.tensors[i].bytes.end());
  }));
  return out.bytes;
}

class Convert : public testing::Test {
 protected:
  RandomCheckpoint network_{kShape, 3};
};

TEST_F(Convert, KeepsEveryNumberAsFloat32) {
  const auto back = opened(converted(network_, DType::kF32));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->config(), kShape);
  ASSERT_EQ(back->tensors().size(), network_.tensors().size());
  for (const TensorInfo& info : network_.tensors()) {
    EXPECT_EQ(*back->read(info.name), *network_.read(info.name)) << info.name;
    EXPECT_EQ(back->find(info.name)->rows, info.rows);
  }
}

TEST_F(Convert, StoresEachTensorInItsType) {
  for (const DType type : {DType::kF16, DType::kQ8_0}) {
    const auto back = opened(converted(network_, type));
    ASSERT_TRUE(back);
    for (const TensorInfo& info : back->tensors()) {
      const bool kept =
          info.name.ends_with(".bias") || info.name.ends_with("norm.weight") || info.name == "position_embd.weight";
      EXPECT_EQ(info.dtype, kept ? DType::kF32 : type) << info.name;
      const auto values = *network_.read(info.name);
      const auto stored = back->stored(info.name);
      ASSERT_TRUE(stored);
      EXPECT_TRUE(std::ranges::equal(*stored, *encode(info.dtype, values, info.columns))) << info.name;
      std::vector<float> decoded(values.size());
      decode(info.dtype, *stored, decoded);
      EXPECT_EQ(*back->read(info.name), decoded);
    }
  }
}

TEST_F(Convert, RowsThatAreNoMultipleOf32StayF16) {
  Gpt2Config narrow = kShape;
  narrow.width = 24;
  const RandomCheckpoint network(narrow, 1);
  const auto back = opened(converted(network, DType::kQ8_0));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->find("token_embd.weight")->dtype, DType::kF16);
  EXPECT_EQ(back->find("blk.0.attn_qkv.weight")->dtype, DType::kF16);
  EXPECT_EQ(back->find("blk.0.ffn_down.weight")->dtype, DType::kQ8_0) << "its rows hold 96";
  const auto kept = kept_tensors(back->tensors(), DType::kQ8_0);
  const auto embedding =
      std::find_if(kept.begin(), kept.end(), [](const KeptTensor& k) { return k.name == "token_embd.weight"; });
  ASSERT_NE(embedding, kept.end());
  EXPECT_EQ(embedding->stored, DType::kF16);
  EXPECT_EQ(embedding->reason, "a row is no multiple of 32");
}

TEST_F(Convert, FourBitsLeaveTheEmbeddingAndAttentionsOutputAtEight) {
  const auto back = opened(converted(network_, DType::kQ4_0));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->find("token_embd.weight")->dtype, DType::kQ8_0);
  EXPECT_EQ(back->find("blk.1.attn_output.weight")->dtype, DType::kQ8_0);
  for (const char* name : {"blk.1.attn_qkv.weight", "blk.1.ffn_up.weight", "blk.1.ffn_down.weight"})
    EXPECT_EQ(back->find(name)->dtype, DType::kQ4_0) << name;
  const auto kept = kept_tensors(back->tensors(), DType::kQ4_0);
  const auto embedding =
      std::find_if(kept.begin(), kept.end(), [](const KeptTensor& k) { return k.name == "token_embd.weight"; });
  ASSERT_NE(embedding, kept.end());
  EXPECT_EQ(embedding->reason, "four bits cost too much here");
}

TEST_F(Convert, AScaleThatIsNoNumberIsNotLoaded) {
  Bytes file = converted(network_, DType::kQ8_0);
  const auto checkpoint = opened(file);
  const auto tensor = *checkpoint->stored("blk.1.ffn_up.weight");
  const auto at = std::search(file.begin(), file.end(), tensor.begin(), tensor.end());
  ASSERT_NE(at, file.end());
  ASSERT_TRUE(Network::load(*opened(file), *available_kernels().front()));
  at[kQ8BlockBytes + 1] = std::byte{0x7C};  // the second block's
  const auto refused = Network::load(*opened(file), *available_kernels().front());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(refused.error().to_string().find("blk.1.ffn_up.weight"), std::string::npos);
}

TEST_F(Convert, GivesTheSameBytesAgainAlsoFromItsOwnFile) {
  const GgufMetadata metadata = {{"general.name", GgufValue(std::string("test"))},
                                 {"midinfinite.rows", GgufValue(std::uint32_t{7})}};
  const Bytes once = converted(network_, DType::kQ8_0, metadata);
  EXPECT_EQ(converted(network_, DType::kQ8_0, metadata), once);
  EXPECT_EQ(converted(*opened(once), DType::kQ8_0, metadata), once);
  const Bytes wide = converted(network_, DType::kF32, metadata);
  EXPECT_EQ(converted(*opened(wide), DType::kQ8_0, metadata), once);
  EXPECT_EQ(*opened(converted(*opened(once), DType::kF32))->read("token_embd.weight"),
            *opened(once)->read("token_embd.weight"));
}

TEST_F(Convert, WritesTheKeysThatLlamaCppAsksFor) {
  const auto gguf = parse_gguf(converted(network_, DType::kQ8_0, {{"general.license", GgufValue(std::string("mit"))}}));
  ASSERT_TRUE(gguf);
  const auto u32 = [&](const char* key) { return std::get<std::uint32_t>(*find_key(gguf->metadata, key)); };
  EXPECT_EQ(u32("gpt2.block_count"), 2U);
  EXPECT_EQ(u32("gpt2.attention.head_count"), 2U);
  EXPECT_EQ(u32("gpt2.embedding_length"), 32U);
  EXPECT_EQ(u32("gpt2.feed_forward_length"), 128U);
  EXPECT_EQ(u32("gpt2.context_length"), 5U);
  EXPECT_EQ(u32("gpt2.vocab_size"), 12U);
  EXPECT_EQ(u32("general.file_type"), 7U);
  EXPECT_EQ(*find_key(gguf->metadata, "gpt2.attention.layer_norm_epsilon"), GgufValue(3e-5F));
  EXPECT_EQ(*find_key(gguf->metadata, "general.architecture"), GgufValue(std::string("gpt2")));
  EXPECT_EQ(*find_key(gguf->metadata, "tokenizer.ggml.model"), GgufValue(std::string("no_vocab")));
  EXPECT_EQ(*find_key(gguf->metadata, "general.license"), GgufValue(std::string("mit")));
}

TEST_F(Convert, RefusesKeysThatAreItsOwnAndOtherTypes) {
  MemoryWriter out;
  for (const char* key :
       {"general.architecture", "gpt2.block_count", "general.alignment", "midinfinite.vocabulary", ""})
    EXPECT_EQ(convert(network_, out, {DType::kF32, {{key, GgufValue(true)}}, {}}).error().where, key);
  EXPECT_THAT(
      convert(network_, out, {DType::kF32, {{"a", GgufValue(true)}, {"a", GgufValue(true)}}, {}}).error().message,
      HasSubstr("set twice"));
  EXPECT_THAT(convert(network_, out, {DType::kBF16, {}, {}}).error().message,
              HasSubstr("choose f32, f16, q8_0 or q4_0"));
  EXPECT_TRUE(out.bytes.empty());
}

// A network with a weight that is no number.
class BrokenCheckpoint : public RandomCheckpoint {
 public:
  using RandomCheckpoint::RandomCheckpoint;
  [[nodiscard]] Result<std::vector<float>> read(std::string_view name) const override {
    auto values = RandomCheckpoint::read(name);
    if (name == "blk.1.ffn_up.weight") (*values)[40] = std::numeric_limits<float>::infinity();
    return values;
  }
};

TEST_F(Convert, WritesTheWholeFileOrNothing) {
  const fs::path folder = fs::temp_directory_path() / ("midinf_convert_test_" + std::to_string(::getpid()));
  fs::remove_all(folder);
  fs::create_directories(folder);
  const std::string path = (folder / "out.gguf").string();
  const auto done = convert(BrokenCheckpoint(kShape, 1), path, {DType::kQ8_0, {}, {}});
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().to_string(), HasSubstr("blk.1.ffn_up.weight: row 1, column 8 is inf"));
  EXPECT_TRUE(fs::is_empty(folder)) << "neither the file nor a part of it";
  int calls = 0;
  EXPECT_FALSE(convert(network_, path, {DType::kQ8_0, {}, [&](double) { return ++calls < 5; }}));
  EXPECT_TRUE(fs::is_empty(folder));
  EXPECT_EQ(calls, 5);
  ASSERT_TRUE(convert(network_, path, {DType::kQ8_0, {}, {}}));
  const auto checkpoint = open_checkpoint(path);
  ASSERT_TRUE(checkpoint) << checkpoint.error().to_string();
  EXPECT_EQ((*checkpoint)->config(), kShape);
  fs::remove_all(folder);
}

TEST_F(Convert, AcceptsASeparateHeadThatIsTheEmbedding) {
  const auto add_head = [](Gguf& gguf) {
    GgufTensor head = gguf.tensors[0];
    ASSERT_EQ(head.name, "token_embd.weight");
    head.name = "output.weight";
    gguf.tensors.push_back(head);
  };
  const Bytes with_head = rewritten(converted(network_, DType::kQ8_0), add_head);
  const auto checkpoint = opened(with_head);
  ASSERT_TRUE(checkpoint);
  EXPECT_FALSE(checkpoint->find("output.weight"));
  Bytes differing = with_head;
  differing[differing.size() - 40] ^= std::byte{1};
  EXPECT_THAT(error_of(differing), HasSubstr("output.weight: differs from token_embd.weight"));
  // Stored otherwise, but the same numbers.
  const auto exact = opened(converted(*checkpoint, DType::kF32));
  const Bytes wide = converted(*exact, DType::kF32);
  const Gguf wide_tables = *parse_gguf(wide);
  EXPECT_EQ(error_of(rewritten(converted(network_, DType::kQ8_0),
                               [&](Gguf& gguf) {
                                 gguf.tensors.push_back(wide_tables.tensors[0]);
                                 gguf.tensors.back().name = "output.weight";
                               })),
            "accepted");
}

TEST_F(Convert, RefusesKeysAndTensorsThatDisagree) {
  const Bytes file = converted(network_, DType::kF32);
  const auto with_key = [&](const char* key, GgufValue value) {
    return error_of(rewritten(file, [&](Gguf& gguf) {
      for (auto& pair : gguf.metadata)
        if (pair.first == key) {
          pair.second = std::move(value);
          return;
        }
      gguf.metadata.emplace_back(key, std::move(value));
    }));
  };
  EXPECT_EQ(with_key("gpt2.embedding_length", std::uint64_t{32}), "accepted") << "any integer type";
  EXPECT_THAT(with_key("general.architecture", std::string("llama")), HasSubstr("'llama' is not an architecture"));
  EXPECT_THAT(with_key("gpt2.block_count", std::uint32_t{0}), HasSubstr("gpt2.block_count: must be a whole number"));
  EXPECT_THAT(with_key("gpt2.block_count", std::uint32_t{3}), HasSubstr("blk.2.attn_norm.bias: the tensor is missing"));
  EXPECT_THAT(with_key("gpt2.block_count", std::uint32_t{1}), HasSubstr("blk.1.attn_norm.weight: the network"));
  EXPECT_THAT(with_key("gpt2.block_count", std::string("2")), HasSubstr("gpt2.block_count"));
  EXPECT_THAT(with_key("gpt2.attention.head_count", std::uint32_t{5}), HasSubstr("5 heads do not divide the width 32"));
  EXPECT_THAT(with_key("gpt2.attention.head_count_kv", std::uint32_t{1}),
              HasSubstr("gpt2.attention.head_count_kv: only 2"));
  EXPECT_THAT(with_key("gpt2.feed_forward_length", std::uint32_t{64}), HasSubstr("gpt2.feed_forward_length: only 128"));
  EXPECT_THAT(with_key("gpt2.vocab_size", std::uint32_t{13}), HasSubstr("gpt2.vocab_size: only 12"));
  EXPECT_THAT(with_key("gpt2.context_length", std::uint32_t{6}),
              HasSubstr("position_embd.weight: expected shape [32, 6] (columns first), found [32, 5]"));
  EXPECT_THAT(with_key("gpt2.attention.layer_norm_epsilon", std::uint32_t{1}), HasSubstr("must be a float"));
  EXPECT_THAT(error_of(rewritten(file, [](Gguf& gguf) { gguf.tensors.erase(gguf.tensors.begin()); })),
              HasSubstr("token_embd.weight"));
  EXPECT_THAT(error_of(rewritten(file, [](Gguf& gguf) { gguf.tensors[3].name = "rope"; })),
              HasSubstr("rope: the network"));
}

TEST_F(Convert, AFileCutShortOrChangedIsRefusedOrHarmless) {
  constexpr Gpt2Config kTiny{.layers = 1, .heads = 1, .width = 32, .context = 1, .vocabulary = 1};
  Bytes whole = converted(RandomCheckpoint(kTiny, 1), DType::kQ8_0);
  ASSERT_EQ(error_of(whole), "accepted");
  const Gguf gguf = *parse_gguf(whole);
  const auto tables = static_cast<std::size_t>(gguf.tensors[0].bytes.data() - whole.data());
  for (std::size_t size = 0; size < whole.size(); size += size < tables ? 1 : 61)
    EXPECT_FALSE(gguf_checkpoint(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)), nullptr))
        << size;
  for_each_mutation(whole, tables, 5000, [](const Bytes& changed) {
    const auto checkpoint = gguf_checkpoint(changed, nullptr);
    if (!checkpoint) return;
    for (const TensorInfo& info : (*checkpoint)->tensors()) {
      EXPECT_TRUE((*checkpoint)->read(info.name));
      EXPECT_EQ((*checkpoint)->stored(info.name)->size(),
                static_cast<std::size_t>(info.rows) * row_bytes(info.dtype, info.columns));
    }
  });
}

}  // namespace
}  // namespace midinf

#include "model/huggingface.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "model/pytorch_bin.h"
#include "model/random_checkpoint.h"
#include "model/safetensors.h"
#include "model/test_files.h"

namespace midinf {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr Gpt2Config kShape{.layers = 2, .heads = 2, .width = 4, .context = 6, .vocabulary = 10};

std::string config_error(const std::string& text) {
  const auto config = parse_huggingface_config(text);
  return config ? "accepted" : config.error().to_string();
}

// A folder that is gone after the test.
class HuggingFace : public testing::Test {
 protected:
  HuggingFace() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~HuggingFace() override { fs::remove_all(folder_); }
  void put(const std::string& name, const Bytes& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  void put(const std::string& name, const std::string& text) const { put(name, ByteBuilder().text(text).bytes()); }
  [[nodiscard]] std::string error_of_folder() const {
    const auto checkpoint = open_checkpoint(folder_.string());
    return checkpoint ? "accepted" : checkpoint.error().to_string();
  }
  // What the folder's tensors are refused for, after `change`.
  template <class Change>
  std::string error_after(Change change, const std::string& more = {}) {
    auto tensors = huggingface_tensors(network_);
    change(tensors);
    put("config.json", config_json(kShape, more));
    put("model.safetensors", safetensors_file(tensors));
    return error_of_folder();
  }
  void expect_same(const Checkpoint& checkpoint) const {
    EXPECT_EQ(checkpoint.config(), kShape);
    ASSERT_EQ(checkpoint.tensors().size(), network_.tensors().size());
    for (const TensorInfo& info : network_.tensors()) {
      const TensorInfo* found = checkpoint.find(info.name);
      ASSERT_TRUE(found) << info.name;
      EXPECT_EQ(found->rows, info.rows);
      EXPECT_EQ(found->columns, info.columns);
      EXPECT_EQ(*checkpoint.read(info.name), *network_.read(info.name)) << info.name;
      EXPECT_FALSE(checkpoint.stored(info.name));
    }
    EXPECT_EQ(checkpoint.read("blk.7.ffn_up.weight").error().code, ErrorCode::kNotFound);
  }

  fs::path folder_ = fs::temp_directory_path() /
                     ("midinf_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) + "_" +
                      std::to_string(::getpid()));
  RandomCheckpoint network_{kShape, 5};
};

NamedTensor& find(std::vector<NamedTensor>& tensors, const std::string& name) {
  return *std::find_if(tensors.begin(), tensors.end(), [&](const NamedTensor& t) { return t.name == name; });
}

TEST_F(HuggingFace, EveryFormGivesTheSameTensors) {
  put("config.json", config_json(kShape));
  for (const std::string& prefix : {std::string(), std::string("transformer.")}) {
    auto tensors = huggingface_tensors(network_, prefix);
    // What older exporters add.
    tensors.push_back({prefix + "h.0.attn.bias", {1, 1, 2, 2}, {1, 0, 1, 1}});
    tensors.push_back({prefix + "h.0.attn.masked_bias", {}, {-10000}});
    tensors.push_back({"lm_head.weight", {10, 4}, *network_.read("token_embd.weight")});
    put("model.safetensors", safetensors_file(tensors));
    put("pytorch_model.bin", pytorch_file(tensors, /*wide=*/true));
    for (const fs::path& path : {folder_, folder_ / "model.safetensors", folder_ / "pytorch_model.bin"}) {
      const auto checkpoint = open_checkpoint(path.string());
      ASSERT_TRUE(checkpoint) << checkpoint.error().to_string();
      expect_same(**checkpoint);
    }
    fs::remove(folder_ / "model.safetensors");
    const auto checkpoint = open_checkpoint(folder_.string());
    ASSERT_TRUE(checkpoint) << checkpoint.error().to_string();
    expect_same(**checkpoint);
  }
}

TEST_F(HuggingFace, SafetensorsWinsWhereBothLie) {
  put("config.json", config_json(kShape));
  put("model.safetensors", safetensors_file(huggingface_tensors(network_)));
  put("pytorch_model.bin", std::string("damaged"));
  EXPECT_EQ(error_of_folder(), "accepted");
}

TEST_F(HuggingFace, ReadsCheckpointsInParts) {
  const auto tensors = huggingface_tensors(network_);
  const auto middle = tensors.begin() + 9;
  put("config.json", config_json(kShape));
  put("one.safetensors", safetensors_file({tensors.begin(), middle}));
  put("two.safetensors", safetensors_file({middle, tensors.end()}));
  put("model.safetensors.index.json",
      std::string(R"({"weight_map": {"a": "one.safetensors", "b": "two.safetensors", "c": "one.safetensors"}})"));
  const auto checkpoint = open_checkpoint(folder_.string());
  ASSERT_TRUE(checkpoint) << checkpoint.error().to_string();
  expect_same(**checkpoint);
  for (const char* name : {"../one.safetensors", "/etc/passwd", "..", ""}) {
    put("model.safetensors.index.json", R"({"weight_map": {"a": ")" + std::string(name) + "\"}}");
    EXPECT_THAT(error_of_folder(), HasSubstr("which is no file of this folder"));
  }
  put("model.safetensors.index.json", std::string("{}"));
  EXPECT_THAT(error_of_folder(), HasSubstr("not an index"));
}

TEST_F(HuggingFace, FoldsTheInverseLayerScaleIntoTheQueries) {
  put("config.json", config_json(kShape, ", \"scale_attn_by_inverse_layer_idx\": true"));
  put("model.safetensors", safetensors_file(huggingface_tensors(network_)));
  const auto checkpoint = open_checkpoint(folder_.string());
  ASSERT_TRUE(checkpoint) << checkpoint.error().to_string();
  for (const TensorInfo& info : network_.tensors()) {
    std::vector<float> expected = *network_.read(info.name);
    if (info.name.starts_with("blk.1.attn_qkv."))
      for (std::size_t i = 0; i < expected.size() / 3; ++i)
        expected[i] /= 2;  // the first third of the rows are queries
    EXPECT_EQ(*(*checkpoint)->read(info.name), expected) << info.name;
  }
}

TEST_F(HuggingFace, NamesTheTensorThatDoesNotFit) {
  EXPECT_EQ(error_after([](auto&) {}), "accepted");
  EXPECT_THAT(error_after([](auto& t) { t.erase(t.begin() + 5); }),
              HasSubstr("h.0.attn.c_attn.bias: the tensor is missing"));
  EXPECT_THAT(error_after([](auto& t) {
                std::swap(find(t, "h.1.mlp.c_fc.weight").shape[0], find(t, "h.1.mlp.c_fc.weight").shape[1]);
              }),
              HasSubstr("h.1.mlp.c_fc.weight: expected shape [4, 16] from config.json, found [16, 4]"));
  EXPECT_THAT(error_after([](auto& t) { find(t, "wte.weight").shape = {40}; }),
              HasSubstr("wte.weight: expected shape [10, 4] from config.json, found [40]"));
  EXPECT_THAT(error_after([](auto& t) { t.push_back({"h.2.ln_1.weight", {4}, {1, 1, 1, 1}}); }),
              HasSubstr("h.2.ln_1.weight: 1 tensor(s) that the network of config.json does not have"));
  EXPECT_THAT(error_after([](auto& t) { t.push_back({"transformer.wte.weight", {1}, {1}}); }),
              HasSubstr("stands twice"));
  EXPECT_THAT(error_after([](auto& t) { t.push_back({"lm_head.weight", {5, 4}, std::vector<float>(20)}); }),
              HasSubstr("lm_head.weight: expected shape [10, 4], that of the embedding, found [5, 4]"));
  EXPECT_THAT(error_after([](auto& t) { t.push_back({"lm_head.weight", {10, 4}, std::vector<float>(40)}); }),
              HasSubstr("lm_head.weight: row 0 differs from the embedding"));
  EXPECT_THAT(error_after([](auto&) {}, ", \"tie_word_embeddings\": false"),
              HasSubstr("lm_head.weight: config.json says"));
  const auto same_head = [this](auto& t) {
    t.push_back({"lm_head.weight", {10, 4}, *network_.read("token_embd.weight")});
  };
  EXPECT_EQ(error_after(same_head, ", \"tie_word_embeddings\": false"), "accepted");
}

TEST_F(HuggingFace, RefusesElementTypesThatAreNoWeights) {
  put("config.json", config_json(kShape));
  Bytes file = safetensors_file(huggingface_tensors(network_));
  const std::string_view wanted = "\"wpe.weight\":{\"dtype\":\"F32\"";
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  const std::size_t at = text.find(wanted);
  ASSERT_NE(at, std::string_view::npos);
  std::memcpy(file.data() + at + wanted.size() - 4, "I32", 3);
  put("model.safetensors", file);
  EXPECT_THAT(error_of_folder(), HasSubstr("wpe.weight: element type I32"));
}

TEST_F(HuggingFace, RefusesAMatrixThatRepeatsOneNumber) {
  std::vector<RawTensor> tensors;
  const std::vector<float> number = {1};
  for (const NamedTensor& tensor : huggingface_tensors(network_))
    tensors.push_back({tensor.name, "FloatStorage", DType::kF32, tensor.shape,
                       std::vector<std::uint64_t>(tensor.shape.size(), 0), std::as_bytes(std::span(number))});
  const auto checkpoint = huggingface_checkpoint({.network = kShape}, tensors, {});
  ASSERT_FALSE(checkpoint);
  EXPECT_THAT(checkpoint.error().to_string(), HasSubstr("wte.weight: shape [10, 4] is more than the 4 bytes"));
}

TEST(RawTensors, AreReadAsFloatsFromEveryTypeAWeightMayHave) {
  const std::vector<float> f32 = {0.5F, -3.0F, 0.0F, 65.0F};
  const std::vector<std::uint16_t> f16 = {0x3800, 0xC200, 0x0000, 0x5410}, bf16 = {0x3F00, 0xC040, 0x0000, 0x4282};
  const std::pair<DType, std::span<const std::byte>> stored[] = {{DType::kF32, std::as_bytes(std::span(f32))},
                                                                 {DType::kF16, std::as_bytes(std::span(f16))},
                                                                 {DType::kBF16, std::as_bytes(std::span(bf16))}};
  for (const auto& [type, bytes] : stored) {
    const RawTensor transposed{"w", std::string(dtype_name(type)), type, {2, 2}, {1, 2}, bytes};
    std::vector<float> row(2);
    read_row(transposed, 1, row);
    EXPECT_EQ(row, (std::vector<float>{-3.0F, 65.0F})) << transposed.type;
  }
}

TEST_F(HuggingFace, SaysWhatAFolderOrFileLacks) {
  EXPECT_THAT(error_of_folder(), HasSubstr("config.json is missing"));
  put("config.json", config_json(kShape));
  EXPECT_THAT(error_of_folder(), HasSubstr("holds neither model.safetensors nor pytorch_model.bin"));
  put("model.safetensors", std::string("version https://git-lfs.github.com/spec/v1\noid sha256:…\n"));
  EXPECT_THAT(error_of_folder(), HasSubstr("Git LFS pointer"));
  put("notes.txt", std::string("hello"));
  EXPECT_THAT(open_checkpoint((folder_ / "notes.txt").string()).error().message, HasSubstr("neither a GGUF nor"));
  put("empty", std::string());
  EXPECT_THAT(open_checkpoint((folder_ / "empty").string()).error().message, HasSubstr("neither a GGUF nor"));
  EXPECT_EQ(open_checkpoint((folder_ / "nothing").string()).error().code, ErrorCode::kNotFound);
}

TEST(HuggingFaceConfigFile, SaysWhichKeyIsWrong) {
  const auto with = [](const std::string& more) { return config_error(config_json(kShape, more)); };
  EXPECT_EQ(with(""), "accepted");
  EXPECT_EQ(with(", \"n_inner\": null"), "accepted");
  EXPECT_EQ(with(", \"n_inner\": 16"), "accepted");
  EXPECT_THAT(with(", \"n_inner\": 17"), HasSubstr("n_inner: only null or 4 x n_embd = 16"));
  EXPECT_THAT(with(", \"activation_function\": \"relu\""), HasSubstr("activation_function: 'relu'; only gelu_new"));
  EXPECT_THAT(with(", \"scale_attn_weights\": false"), HasSubstr("scale_attn_weights: only true"));
  EXPECT_THAT(with(", \"scale_attn_weights\": 1"), HasSubstr("scale_attn_weights: must be true or false"));
  EXPECT_THAT(with(", \"add_cross_attention\": true"), HasSubstr("add_cross_attention"));
  EXPECT_THAT(with(", \"layer_norm_epsilon\": 0"), HasSubstr("layer_norm_epsilon: must be a number"));
  EXPECT_THAT(config_error("{}"), HasSubstr("model_type: '(none)' is not an architecture"));
  EXPECT_THAT(config_error("{\"model_type\": \"llama\"}"), HasSubstr("model_type: 'llama' is not an architecture"));
  EXPECT_THAT(config_error("{\"model_type\": \"gpt2\"}"), HasSubstr("n_layer: the key is missing"));
  EXPECT_THAT(config_error("nonsense"), HasSubstr("not a JSON object"));
  for (const char* value : {"0", "-3", "1.5", "\"12\"", "1e9", "99999999999999999999"})
    EXPECT_THAT(config_error("{\"model_type\": \"gpt2\", \"n_layer\": " + std::string(value) + "}"),
                HasSubstr("n_layer: must be a whole number"));
  Gpt2Config odd = kShape;
  odd.heads = 3;
  EXPECT_THAT(config_error(config_json(odd)), HasSubstr("n_embd 4 is no multiple of n_head 3"));
}

}  // namespace
}  // namespace midinf

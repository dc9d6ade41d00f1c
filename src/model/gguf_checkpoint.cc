#include "model/gguf_checkpoint.h"

#include <fmt/format.h>

#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/gguf.h"
#include "model/gpt2_tensors.h"
#include "model/quantize.h"
#include "model/raw_tensor.h"

namespace midinf {
namespace {

constexpr std::string_view kEmbedding = "token_embd.weight";
constexpr std::string_view kHead = "output.weight";

tl::unexpected<Error> corrupt(std::string message, std::string where = {}) {
  return fail(ErrorCode::kCorrupt, std::move(message), std::move(where));
}

Result<int> size_key(const GgufMetadata& metadata, const char* key, int max) {
  const GgufValue* value = find_key(metadata, key);
  if (!value) return corrupt("the key is missing", key);
  const auto size = as_count(*value);
  if (!size || *size < 1 || *size > static_cast<std::uint64_t>(max))
    return corrupt(fmt::format("must be a whole number from 1 to {}", max), key);
  return static_cast<int>(*size);
}

// A key that may be absent, but must not say anything else.
Result<void> check_key(const GgufMetadata& metadata, const char* key, std::int64_t expected) {
  const GgufValue* value = find_key(metadata, key);
  if (!value || as_count(*value) == static_cast<std::uint64_t>(expected)) return {};
  return fail(ErrorCode::kUnsupported, fmt::format("only {} is supported here", expected), key);
}

Result<Gpt2Config> read_config(const Gguf& gguf) {
  const GgufValue* architecture = find_key(gguf.metadata, "general.architecture");
  const auto* name = architecture ? std::get_if<std::string>(architecture) : nullptr;
  if (!name) return corrupt("the key is missing", "general.architecture");
  if (*name != "gpt2")
    return fail(ErrorCode::kUnsupported,
                fmt::format("'{}' is not an architecture that midinfinite runs; it runs gpt2", *name),
                "general.architecture");
  Gpt2Config config;
  MIDINF_TRY_ASSIGN(layers, size_key(gguf.metadata, "gpt2.block_count", kMaxLayers));
  MIDINF_TRY_ASSIGN(heads, size_key(gguf.metadata, "gpt2.attention.head_count", kMaxSize));
  MIDINF_TRY_ASSIGN(width, size_key(gguf.metadata, "gpt2.embedding_length", kMaxSize));
  MIDINF_TRY_ASSIGN(context, size_key(gguf.metadata, "gpt2.context_length", kMaxSize));
  config.layers = layers;
  config.heads = heads;
  config.width = width;
  config.context = context;
  if (width % heads != 0)
    return corrupt(fmt::format("{} heads do not divide the width {}", heads, width), "gpt2.attention.head_count");
  MIDINF_TRY(check_key(gguf.metadata, "gpt2.feed_forward_length", config.mlp_width()));
  MIDINF_TRY(check_key(gguf.metadata, "gpt2.attention.head_count_kv", heads));
  constexpr const char* kEpsilon = "gpt2.attention.layer_norm_epsilon";
  const GgufValue* epsilon = find_key(gguf.metadata, kEpsilon);
  const auto* number = epsilon ? std::get_if<float>(epsilon) : nullptr;
  if (!number || !(*number > 0 && *number < 1)) return corrupt("must be a float between 0 and 1", kEpsilon);
  config.layer_norm_epsilon = *number;
  // Not a key that every file has: the embedding knows.
  for (const GgufTensor& tensor : gguf.tensors)
    if (tensor.name == kEmbedding && tensor.dimensions.size() == 2 && tensor.dimensions[1] <= kMaxSize)
      config.vocabulary = static_cast<int>(tensor.dimensions[1]);
  if (config.vocabulary == 0) return corrupt("the tensor is missing or is no matrix", std::string(kEmbedding));
  MIDINF_TRY(check_key(gguf.metadata, "gpt2.vocab_size", config.vocabulary));
  return config;
}

class GgufCheckpoint : public Checkpoint {
 public:
  GgufCheckpoint(const Gpt2Config& config, std::shared_ptr<const void> keep) : keep_(std::move(keep)) {
    config_ = config;
  }

  void add(GgufTensor tensor, int rows, int columns) {
    tensors_.push_back({tensor.name, tensor.dtype, rows, columns});
    entries_.emplace(tensor.name, tensor.bytes);
  }

  Result<std::vector<float>> read(std::string_view name) const override {
    const TensorInfo* info = find(name);
    if (!info) return fail(ErrorCode::kNotFound, "no such tensor", std::string(name));
    std::vector<float> values(static_cast<std::size_t>(info->rows) * static_cast<std::size_t>(info->columns));
    decode(info->dtype, entries_.find(name)->second, values);
    return values;
  }

  std::optional<std::span<const std::byte>> stored(std::string_view name) const override {
    const auto found = entries_.find(name);
    if (found == entries_.end()) return std::nullopt;
    return found->second;
  }

 private:
  std::shared_ptr<const void> keep_;
  std::map<std::string, std::span<const std::byte>, std::less<>> entries_;
};

// Whether two tensors hold the same numbers, row by row, however they are stored.
bool same_numbers(const GgufTensor& a, const GgufTensor& b) {
  if (a.dimensions != b.dimensions) return false;
  if (a.dtype == b.dtype) return std::memcmp(a.bytes.data(), b.bytes.data(), a.bytes.size()) == 0;
  const auto columns = static_cast<std::size_t>(a.dimensions[0]);
  const std::size_t a_row = row_bytes(a.dtype, static_cast<int>(columns));
  const std::size_t b_row = row_bytes(b.dtype, static_cast<int>(columns));
  std::vector<float> x(columns), y(columns);
  for (std::size_t row = 0; row < a.bytes.size() / a_row; ++row) {
    decode(a.dtype, a.bytes.subspan(row * a_row, a_row), x);
    decode(b.dtype, b.bytes.subspan(row * b_row, b_row), y);
    if (std::memcmp(x.data(), y.data(), columns * sizeof(float)) != 0) return false;
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<Checkpoint>> gguf_checkpoint(std::span<const std::byte> file, std::shared_ptr<const void> keep) {
  MIDINF_TRY_ASSIGN(gguf, parse_gguf(file));
  MIDINF_TRY_ASSIGN(config, read_config(gguf));

  std::map<std::string, Gpt2Tensor, std::less<>> wanted;
  for (Gpt2Tensor& tensor : gpt2_tensors(config)) {
    std::string name = tensor.name;
    wanted.emplace(std::move(name), std::move(tensor));
  }
  auto checkpoint = std::make_unique<GgufCheckpoint>(config, std::move(keep));
  const GgufTensor* embedding = nullptr;
  const GgufTensor* head = nullptr;
  for (const GgufTensor& tensor : gguf.tensors) {
    if (tensor.name == kHead) {
      head = &tensor;
      continue;
    }
    if (tensor.name == kEmbedding) embedding = &tensor;
    const auto found = wanted.find(tensor.name);
    if (found == wanted.end())
      return fail(
          ErrorCode::kUnsupported,
          "the network that the keys describe does not have this tensor; leaving weights out would change the model",
          tensor.name);
    const Gpt2Tensor& expected = found->second;
    std::vector<std::uint64_t> dimensions = {static_cast<std::uint64_t>(expected.columns)};
    if (!expected.vector) dimensions.push_back(static_cast<std::uint64_t>(expected.rows));
    if (tensor.dimensions != dimensions)
      return corrupt(fmt::format("expected shape {} (columns first), found {}", shape_text(dimensions),
                                 shape_text(tensor.dimensions)),
                     tensor.name);
    checkpoint->add(tensor, expected.rows, expected.columns);
    wanted.erase(found);
  }
  if (!wanted.empty()) return corrupt("the tensor is missing, though the keys imply it", wanted.begin()->first);
  if (head && !same_numbers(*head, *embedding))
    return fail(ErrorCode::kUnsupported,
                "differs from token_embd.weight; only networks with tied embeddings are supported", std::string(kHead));
  return checkpoint;
}

}  // namespace midinf

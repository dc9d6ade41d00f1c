#include "model/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "model/calibrate.h"
#include "model/gpt2_tensors.h"
#include "model/quantize.h"
#include "model/quantize_calibrated.h"

namespace midinf {
namespace {

constexpr std::string_view kPositions = "position_embd.weight";
constexpr int kAmtVocabulary = 55028;
constexpr int kAmtInterarrivalVocabulary = 34025;

// llama.cpp's numbers for general.file_type: what most matrices are stored as.
std::uint32_t file_type(DType type) {
  switch (type) {
    case DType::kF16:
      return 1;
    case DType::kQ4_0:
      return 2;
    case DType::kQ8_0:
      return 7;
    default:
      return 0;
  }
}

constexpr std::array<std::string_view, 14> kOwnKeys = {"general.architecture",
                                                       "general.alignment",
                                                       "general.file_type",
                                                       "general.quantization_version",
                                                       "gpt2.context_length",
                                                       "gpt2.embedding_length",
                                                       "gpt2.feed_forward_length",
                                                       "gpt2.block_count",
                                                       "gpt2.attention.head_count",
                                                       "gpt2.attention.head_count_kv",
                                                       "gpt2.attention.layer_norm_epsilon",
                                                       "gpt2.vocab_size",
                                                       "tokenizer.ggml.model",
                                                       "midinfinite.vocabulary"};

// Which of the two AMT vocabularies a network of this many ids speaks; they cannot be told apart but by size.
std::string_view vocabulary_name(int size) {
  if (size == kAmtVocabulary) return "amt-arrival-55028";
  if (size == kAmtInterarrivalVocabulary) return "amt-interarrival-34025";
  return "unknown";
}

GgufMetadata own_metadata(const Gpt2Config& config, DType type) {
  const auto u32 = [](int value) { return GgufValue(static_cast<std::uint32_t>(value)); };
  return {{"general.architecture", GgufValue(std::string("gpt2"))},
          {"general.file_type", GgufValue(file_type(type))},
          {"general.quantization_version", GgufValue(std::uint32_t{2})},
          {"gpt2.context_length", u32(config.context)},
          {"gpt2.embedding_length", u32(config.width)},
          {"gpt2.feed_forward_length", u32(config.mlp_width())},
          {"gpt2.block_count", u32(config.layers)},
          {"gpt2.attention.head_count", u32(config.heads)},
          {"gpt2.attention.layer_norm_epsilon", GgufValue(config.layer_norm_epsilon)},
          {"gpt2.vocab_size", u32(config.vocabulary)},
          {"tokenizer.ggml.model", GgufValue(std::string("no_vocab"))},
          {"midinfinite.vocabulary", GgufValue(std::string(vocabulary_name(config.vocabulary)))}};
}

Result<void> check(const ConvertOptions& options) {
  if (options.type == DType::kBF16)
    return fail(ErrorCode::kInvalidArgument, "not a type to convert to; choose f32, f16, q8_0 or q4_0",
                std::string(dtype_name(options.type)));
  if (!options.calibration.empty() && options.type != DType::kQ4_0)
    return fail(ErrorCode::kInvalidArgument, "calibration rows are of use for q4_0 only",
                std::string(dtype_name(options.type)));
  for (auto pair = options.metadata.begin(); pair != options.metadata.end(); ++pair) {
    const auto& [key, value] = *pair;
    if (key.empty() || key.size() > 65535 || is_own_key(key) || std::holds_alternative<GgufArray>(value))
      return fail(ErrorCode::kInvalidArgument,
                  "this key cannot be set: the converter writes it itself, or it is no key", key);
    if (std::find_if(options.metadata.begin(), pair, [&](const auto& p) { return p.first == key; }) != pair)
      return fail(ErrorCode::kInvalidArgument, "the key is set twice", key);
  }
  return {};
}

bool is_vector(const TensorInfo& tensor) {
  return tensor.name.ends_with(".bias") || tensor.name.ends_with("norm.weight");
}

// What four bits cost most, for what they save: attention's output, a twelfth of a layer, and the embedding, of which
// a pass reads the wanted rows only.
bool wants_eight_bits(const TensorInfo& tensor) {
  return tensor.name == "token_embd.weight" || tensor.name.ends_with("attn_output.weight");
}

std::string_view reason_kept(const TensorInfo& tensor, DType asked) {
  if (is_vector(tensor)) return "norms and biases stay f32";
  if (tensor.name == kPositions) return "position embeddings keep the source's values";
  if (is_quantized(asked) && tensor.columns % kQuantBlock != 0) return "a row is no multiple of 32";
  if (asked == DType::kQ4_0 && wants_eight_bits(tensor)) return "four bits cost too much here";
  return {};
}

// One tensor as it is to be stored.
Result<std::vector<std::byte>> stored_bytes(const Checkpoint& checkpoint, const TensorInfo& source, DType type,
                                            const InputMoments& moments, int threads,
                                            const std::function<bool()>& go_on) {
  const auto seen = type == DType::kQ4_0 ? moments.find(source.name) : moments.end();
  if (source.dtype == type && seen == moments.end())
    if (const auto stored = checkpoint.stored(source.name)) return std::vector(stored->begin(), stored->end());
  MIDINF_TRY_ASSIGN(values, checkpoint.read(source.name));
  auto bytes = seen == moments.end() ? encode(type, values, source.columns)
                                     : encode_q4_calibrated(values, source.columns, seen->second, threads, go_on);
  if (!bytes) return tl::make_unexpected(with_context(bytes.error(), source.name));
  return bytes;
}

}  // namespace

GgufMetadata carried_metadata(const GgufMetadata& source, DType type) {
  const GgufValue* held = find_key(source, "general.file_type");
  const bool same_bits = type == DType::kQ4_0 && held != nullptr && *held == GgufValue(file_type(DType::kQ4_0));
  GgufMetadata metadata;
  for (const auto& [key, value] : source)
    if ((key != kCalibrationKey || same_bits) && (key.starts_with("general.") || key.starts_with("midinfinite.")) &&
        !is_own_key(key) && !std::holds_alternative<GgufArray>(value))
      metadata.emplace_back(key, value);
  return metadata;
}

bool is_own_key(std::string_view key) {
  return key.starts_with("gpt2.") || std::find(kOwnKeys.begin(), kOwnKeys.end(), key) != kOwnKeys.end();
}

DType stored_type(const TensorInfo& tensor, DType asked) {
  if (is_vector(tensor) || tensor.name == kPositions) return DType::kF32;
  if (is_quantized(asked) && tensor.columns % kQuantBlock != 0) return DType::kF16;
  if (asked == DType::kQ4_0 && wants_eight_bits(tensor)) return DType::kQ8_0;
  return asked;
}

std::vector<KeptTensor> kept_tensors(const std::vector<TensorInfo>& tensors, DType asked) {
  std::vector<KeptTensor> kept;
  for (const TensorInfo& tensor : tensors)
    if (const DType stored = stored_type(tensor, asked); stored != asked)
      kept.push_back({tensor.name, stored, reason_kept(tensor, asked)});
  return kept;
}

Result<void> convert(const Checkpoint& checkpoint, FileWriter& out, const ConvertOptions& options) {
  MIDINF_TRY(check(options));
  GgufMetadata metadata = own_metadata(checkpoint.config(), options.type);
  metadata.insert(metadata.end(), options.metadata.begin(), options.metadata.end());

  std::vector<TensorInfo> sources;
  std::vector<GgufTensor> tensors;
  for (const Gpt2Tensor& wanted : gpt2_tensors(checkpoint.config())) {
    const TensorInfo* source = checkpoint.find(wanted.name);
    MIDINF_ASSERT(source && source->rows == wanted.rows && source->columns == wanted.columns);
    sources.push_back(*source);
    GgufTensor tensor{
        wanted.name, stored_type(*source, options.type), {static_cast<std::uint64_t>(wanted.columns)}, {}};
    if (!wanted.vector) tensor.dimensions.push_back(static_cast<std::uint64_t>(wanted.rows));
    tensors.push_back(std::move(tensor));
  }
  const auto size_of = [](const GgufTensor& tensor) {
    return static_cast<double>(row_bytes(tensor.dtype, static_cast<int>(tensor.dimensions.front()))) *
           static_cast<double>(tensor.dimensions.size() > 1 ? tensor.dimensions[1] : 1);
  };
  double total = 0;
  for (const GgufTensor& tensor : tensors) total += size_of(tensor);

  // What takes longest comes first: reading the calibration rows.
  const double reading = options.calibration.empty() ? 0 : 0.6;
  InputMoments moments;
  if (reading > 0) {
    MIDINF_TRY_ASSIGN(measured,
                      measure_inputs(
                          checkpoint, options.calibration, options.threads,
                          [&](double part) { return !options.progress || options.progress(reading * part); },
                          [&](const TensorInfo& tensor) { return stored_type(tensor, options.type) == DType::kQ4_0; }));
    moments = std::move(measured);
  }
  double done = 0;
  const auto go_on = [&] { return !options.progress || options.progress(reading + (1 - reading) * done / total); };
  return write_gguf(out, metadata, tensors, [&](std::size_t i) -> Result<std::vector<std::byte>> {
    if (!go_on()) return fail(ErrorCode::kCancelled, "stopped; nothing was written");
    done += size_of(tensors[i]);
    return stored_bytes(checkpoint, sources[i], tensors[i].dtype, moments, options.threads, go_on);
  });
}

Result<void> convert(const Checkpoint& checkpoint, const std::string& destination, const ConvertOptions& options) {
  return write_file_whole(destination, [&](FileWriter& out) { return convert(checkpoint, out, options); });
}

}  // namespace midinf

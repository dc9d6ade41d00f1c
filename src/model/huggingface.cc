#include "model/huggingface.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "model/gpt2_tensors.h"
#include "model/pytorch_bin.h"
#include "model/safetensors.h"

namespace midinf {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::uint64_t kMaxJsonBytes = 16 << 20;

tl::unexpected<Error> corrupt(std::string message, std::string where = {}) {
  return fail(ErrorCode::kCorrupt, std::move(message), std::move(where));
}

tl::unexpected<Error> unsupported(std::string message, std::string where = {}) {
  return fail(ErrorCode::kUnsupported, std::move(message), std::move(where));
}

// ---- config.json ----------------------------------------------------------------------------------------------------

const json* present(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

Result<int> size_of(const json& config, const char* key, std::int64_t max) {
  const json* value = present(config, key);
  if (!value) return corrupt("the key is missing", key);
  if (!value->is_number_unsigned() || value->get<std::uint64_t>() < 1 ||
      value->get<std::uint64_t>() > static_cast<std::uint64_t>(max))
    return corrupt(fmt::format("must be a whole number from 1 to {}", max), key);
  return static_cast<int>(value->get<std::uint64_t>());
}

Result<bool> flag_of(const json& config, const char* key, bool otherwise) {
  const json* value = present(config, key);
  if (!value) return otherwise;
  if (!value->is_boolean()) return corrupt("must be true or false", key);
  return value->get<bool>();
}

Result<std::string> text_of(const json& config, const char* key, std::string otherwise) {
  const json* value = present(config, key);
  if (!value) return otherwise;
  if (!value->is_string()) return corrupt("must be a text", key);
  return value->get<std::string>();
}

// ---- tensor names ---------------------------------------------------------------------------------------------------

// What a role is called there, after "h.N." within a block, and whether it is stored [in, out].
struct TheirName {
  std::string_view role;
  std::string_view name;
  bool transposed;
};

constexpr std::array<TheirName, 16> kTheirNames = {{
    {"token_embd.weight", "wte.weight", false},
    {"position_embd.weight", "wpe.weight", false},
    {"attn_norm.weight", "ln_1.weight", false},
    {"attn_norm.bias", "ln_1.bias", false},
    {"attn_qkv.weight", "attn.c_attn.weight", true},
    {"attn_qkv.bias", "attn.c_attn.bias", false},
    {"attn_output.weight", "attn.c_proj.weight", true},
    {"attn_output.bias", "attn.c_proj.bias", false},
    {"ffn_norm.weight", "ln_2.weight", false},
    {"ffn_norm.bias", "ln_2.bias", false},
    {"ffn_up.weight", "mlp.c_fc.weight", true},
    {"ffn_up.bias", "mlp.c_fc.bias", false},
    {"ffn_down.weight", "mlp.c_proj.weight", true},
    {"ffn_down.bias", "mlp.c_proj.bias", false},
    {"output_norm.weight", "ln_f.weight", false},
    {"output_norm.bias", "ln_f.bias", false},
}};
constexpr std::string_view kEmbedding = "wte.weight";
constexpr std::string_view kPrefix = "transformer.";
constexpr std::string_view kHead = "lm_head.weight";

std::string_view without_prefix(std::string_view name) {
  return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
}

// The causal mask and its fill value, which older exporters saved with the weights.
bool is_mask_buffer(std::string_view name) {
  return name.starts_with("h.") && (name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias"));
}

// ---- the checkpoint -------------------------------------------------------------------------------------------------

class HuggingFaceCheckpoint : public Checkpoint {
 public:
  HuggingFaceCheckpoint(const HuggingFaceConfig& config, std::vector<MappedFile> files)
      : source_(config), files_(std::move(files)) {
    config_ = config.network;
  }

  Result<std::vector<float>> read(std::string_view name) const override {
    const auto found = entries_.find(name);
    if (found == entries_.end()) return fail(ErrorCode::kNotFound, "no such tensor", std::string(name));
    const Entry& entry = found->second;
    const auto rows = static_cast<std::size_t>(entry.rows);
    const auto columns = static_cast<std::size_t>(entry.columns);
    std::vector<float> values(rows * columns);
    if (entry.transposed) {
      std::vector<float> line(rows);  // what is stored as a row holds one value for each of our rows
      for (std::size_t column = 0; column < columns; ++column) {
        read_row(entry.raw, column, line);
        for (std::size_t row = 0; row < rows; ++row) values[row * columns + column] = line[row];
      }
    } else {
      for (std::size_t row = 0; row < rows; ++row)
        read_row(entry.raw, row, std::span(values).subspan(row * columns, columns));
    }
    // Scores are linear in the queries: dividing those divides the scores.
    if (entry.query_divisor != 1)
      for (std::size_t i = 0; i < values.size() / 3; ++i) values[i] /= static_cast<float>(entry.query_divisor);
    return values;
  }

  std::optional<std::span<const std::byte>> stored(std::string_view) const override { return std::nullopt; }

  // Checks a stored tensor against what it must be and takes it.
  Result<void> add(const RawTensor& raw, const Gpt2Tensor& wanted, bool transposed) {
    const auto rows = static_cast<std::uint64_t>(wanted.rows);
    const auto columns = static_cast<std::uint64_t>(wanted.columns);
    std::vector<std::uint64_t> expected = {columns};
    if (!wanted.vector) expected = transposed ? std::vector{columns, rows} : std::vector{rows, columns};
    if (raw.shape != expected)
      return corrupt(
          fmt::format("expected shape {} from config.json, found {}", shape_text(expected), shape_text(raw.shape)),
          raw.name);
    if (!raw.dtype)
      return unsupported(fmt::format("element type {}; weights may be float32, float16 or bfloat16", raw.type),
                         raw.name);
    // A view of stride 0 makes a matrix of any size out of one number: a file of 1 KB must not ask for 1 TB of memory.
    if (!element_count(raw.shape, raw.bytes.size() / row_bytes(*raw.dtype, 1)))
      return corrupt(fmt::format("shape {} is more than the {} bytes that are stored for it", shape_text(raw.shape),
                                 raw.bytes.size()),
                     raw.name);
    const int divisor = source_.inverse_layer_scale && wanted.role.starts_with("attn_qkv.") ? wanted.layer + 1 : 1;
    tensors_.push_back({wanted.name, *raw.dtype, wanted.rows, wanted.columns});
    entries_.emplace(wanted.name, Entry{raw, wanted.rows, wanted.columns, transposed, divisor});
    return {};
  }

 private:
  struct Entry {
    RawTensor raw;
    int rows;
    int columns;
    bool transposed;
    int query_divisor;  // of the first third of the values
  };

  HuggingFaceConfig source_;
  std::vector<MappedFile> files_;
  std::map<std::string, Entry, std::less<>> entries_;
};

// The tensors by name without prefix, less what no network needs.
Result<std::map<std::string_view, const RawTensor*>> index_tensors(const std::vector<RawTensor>& tensors) {
  std::map<std::string_view, const RawTensor*> by_name;
  for (const RawTensor& tensor : tensors) {
    const std::string_view name = without_prefix(tensor.name);
    if (is_mask_buffer(name)) continue;
    if (!by_name.emplace(name, &tensor).second)
      return corrupt("the tensor stands twice, with and without the prefix 'transformer.'", tensor.name);
  }
  return by_name;
}

// The head must be the embedding itself: there is no room for another in the network that we run.
Result<void> check_head(const RawTensor& head, const RawTensor& embedding) {
  if (head.shape != embedding.shape)
    return corrupt(fmt::format("expected shape {}, that of the embedding, found {}", shape_text(embedding.shape),
                               shape_text(head.shape)),
                   head.name);
  if (!head.dtype) return unsupported(fmt::format("element type {}", head.type), head.name);
  std::vector<float> a(static_cast<std::size_t>(head.shape[1]));
  std::vector<float> b(a.size());
  for (std::uint64_t row = 0; row < head.shape[0]; ++row) {
    read_row(head, row, a);
    read_row(embedding, row, b);
    if (std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) != 0)
      return unsupported(
          fmt::format("row {} differs from the embedding; only networks with tied embeddings are supported", row),
          head.name);
  }
  return {};
}

// ---- files ----------------------------------------------------------------------------------------------------------

Result<std::string> read_text(const std::string& path) {
  MIDINF_TRY_ASSIGN(bytes, read_file(path, kMaxJsonBytes));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

// The files that an index names, sorted. Names are file names only: an index must not reach outside its folder.
Result<std::vector<std::string>> files_of_index(const fs::path& index) {
  MIDINF_TRY_ASSIGN(text, read_text(index.string()));
  const json parsed = json::parse(text, nullptr, /*allow_exceptions=*/false);
  const json* map = parsed.is_object() ? present(parsed, "weight_map") : nullptr;
  if (!map || !map->is_object() || map->empty()) return corrupt("not an index with a weight_map", index.string());
  std::set<std::string> names;
  for (const json& file : *map) {
    if (!file.is_string()) return corrupt("weight_map must name a file for each tensor", index.string());
    const auto name = file.get<std::string>();
    if (name.empty() || name == "." || name == ".." ||
        name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos)
      return corrupt(fmt::format("weight_map names '{}', which is no file of this folder", name), index.string());
    names.insert(name);
  }
  std::vector<std::string> files;
  for (const std::string& name : names) files.push_back((index.parent_path() / name).string());
  return files;
}

// Errors: what a file is that holds no weights.
Result<void> check_container(std::span<const std::byte> file) {
  if (looks_like_safetensors(file) || looks_like_pytorch_bin(file)) return {};
  const std::string_view start(reinterpret_cast<const char*>(file.data()), std::min<std::size_t>(file.size(), 64));
  if (start.starts_with("version https://git-lfs"))
    return corrupt("this is a Git LFS pointer, not the weights; run `git lfs pull` or download the file");
  return corrupt("neither a GGUF nor a safetensors file nor a PyTorch checkpoint; if it should be, download it again");
}

Result<std::vector<RawTensor>> parse_container(std::span<const std::byte> file) {
  MIDINF_TRY(check_container(file));
  return looks_like_safetensors(file) ? parse_safetensors(file) : parse_pytorch_bin(file);
}

}  // namespace

Result<HuggingFaceConfig> parse_huggingface_config(std::string_view text) {
  const json config = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) return corrupt("not a JSON object; download it again");

  MIDINF_TRY_ASSIGN(type, text_of(config, "model_type", ""));
  if (type != "gpt2")
    return unsupported(
        fmt::format("'{}' is not an architecture that midinfinite runs; it runs gpt2", type.empty() ? "(none)" : type),
        "model_type");
  MIDINF_TRY_ASSIGN(activation, text_of(config, "activation_function", "gelu_new"));
  if (activation != "gelu_new")
    return unsupported(fmt::format("'{}'; only gelu_new is supported", activation), "activation_function");
  MIDINF_TRY_ASSIGN(scaled, flag_of(config, "scale_attn_weights", true));
  if (!scaled) return unsupported("only true is supported", "scale_attn_weights");
  MIDINF_TRY_ASSIGN(crossed, flag_of(config, "add_cross_attention", false));
  if (crossed) return unsupported("only false is supported", "add_cross_attention");

  HuggingFaceConfig result;
  Gpt2Config& network = result.network;
  MIDINF_TRY_ASSIGN(tied, flag_of(config, "tie_word_embeddings", true));
  result.tied_head = tied;
  MIDINF_TRY_ASSIGN(inverse, flag_of(config, "scale_attn_by_inverse_layer_idx", false));
  result.inverse_layer_scale = inverse;
  MIDINF_TRY_ASSIGN(layers, size_of(config, "n_layer", kMaxLayers));
  MIDINF_TRY_ASSIGN(heads, size_of(config, "n_head", kMaxSize));
  MIDINF_TRY_ASSIGN(wide, size_of(config, "n_embd", kMaxSize));
  MIDINF_TRY_ASSIGN(positions, size_of(config, "n_positions", kMaxSize));
  MIDINF_TRY_ASSIGN(ids, size_of(config, "vocab_size", kMaxSize));
  network.layers = layers;
  network.heads = heads;
  network.width = wide;
  network.context = positions;
  network.vocabulary = ids;
  if (wide % heads != 0) return corrupt(fmt::format("n_embd {} is no multiple of n_head {}", wide, heads), "n_head");
  if (const json* inner = present(config, "n_inner"); inner && *inner != 4 * static_cast<std::int64_t>(wide))
    return unsupported(fmt::format("only null or 4 x n_embd = {} is supported", 4 * static_cast<std::int64_t>(wide)),
                       "n_inner");
  if (const json* epsilon = present(config, "layer_norm_epsilon")) {
    if (!epsilon->is_number() || !(epsilon->get<double>() > 0 && epsilon->get<double>() < 1))
      return corrupt("must be a number between 0 and 1", "layer_norm_epsilon");
    network.layer_norm_epsilon = static_cast<float>(epsilon->get<double>());
  }
  return result;
}

Result<std::unique_ptr<Checkpoint>> huggingface_checkpoint(const HuggingFaceConfig& config,
                                                           std::vector<RawTensor> tensors,
                                                           std::vector<MappedFile> files) {
  MIDINF_TRY_ASSIGN(by_name, index_tensors(tensors));
  auto checkpoint = std::make_unique<HuggingFaceCheckpoint>(config, std::move(files));
  const RawTensor* embedding = nullptr;
  for (const Gpt2Tensor& wanted : gpt2_tensors(config.network)) {
    const auto theirs =
        std::find_if(kTheirNames.begin(), kTheirNames.end(), [&](const TheirName& t) { return t.role == wanted.role; });
    const std::string name =
        wanted.layer < 0 ? std::string(theirs->name) : fmt::format("h.{}.{}", wanted.layer, theirs->name);
    const auto found = by_name.find(name);
    if (found == by_name.end()) return corrupt("the tensor is missing, though config.json implies it", name);
    if (name == kEmbedding) embedding = found->second;
    MIDINF_TRY(checkpoint->add(*found->second, wanted, theirs->transposed));
    by_name.erase(found);
  }

  if (const auto head = by_name.find(kHead); head != by_name.end()) {
    MIDINF_TRY(check_head(*head->second, *embedding));
    by_name.erase(head);
  } else if (!config.tied_head) {
    return corrupt("config.json says tie_word_embeddings is false, but the tensor is missing", std::string(kHead));
  }
  if (!by_name.empty())
    return unsupported(
        fmt::format("{} tensor(s) that the network of config.json does not have, this one first; leaving "
                    "weights out would change the model",
                    by_name.size()),
        by_name.begin()->second->name);
  return checkpoint;
}

Result<std::vector<std::string>> huggingface_files(const std::string& path) {
  const fs::path given(path);
  const fs::path folder = is_folder(given) ? given : given.parent_path();
  const fs::path config = folder / "config.json";
  if (!is_file(config))
    return fail(
        ErrorCode::kNotFound,
        "config.json is missing; a Hugging Face checkpoint is a folder with config.json and model.safetensors or "
        "pytorch_model.bin",
        config.string());
  std::vector<std::string> files = {config.string()};
  if (!is_folder(given)) {
    files.push_back(path);
    return files;
  }
  for (const char* name : {"model.safetensors", "pytorch_model.bin"}) {
    if (is_file(folder / name)) {
      files.push_back((folder / name).string());
      return files;
    }
    if (const fs::path index = folder / (std::string(name) + ".index.json"); is_file(index)) {
      MIDINF_TRY_ASSIGN(parts, files_of_index(index));
      files.insert(files.end(), parts.begin(), parts.end());
      return files;
    }
  }
  return fail(ErrorCode::kNotFound, "the folder holds neither model.safetensors nor pytorch_model.bin", path);
}

Result<std::unique_ptr<Checkpoint>> open_huggingface(const std::string& path) {
  if (!is_folder(path)) {  // a file of another kind deserves a better answer than that its config.json is missing
    MIDINF_TRY_ASSIGN(file, MappedFile::open(path));
    if (const auto usable = check_container(file.bytes()); !usable)
      return tl::make_unexpected(with_context(usable.error(), path));
  }
  MIDINF_TRY_ASSIGN(paths, huggingface_files(path));
  MIDINF_TRY_ASSIGN(text, read_text(paths.front()));
  const auto config = parse_huggingface_config(text);
  if (!config) return tl::make_unexpected(with_context(config.error(), paths.front()));
  std::vector<MappedFile> files;
  std::vector<RawTensor> tensors;
  for (std::size_t i = 1; i < paths.size(); ++i) {
    MIDINF_TRY_ASSIGN(file, MappedFile::open(paths[i]));
    auto found = parse_container(file.bytes());
    if (!found) return tl::make_unexpected(with_context(found.error(), paths[i]));
    std::move(found->begin(), found->end(), std::back_inserter(tensors));
    files.push_back(std::move(file));
  }
  auto checkpoint = huggingface_checkpoint(*config, std::move(tensors), std::move(files));
  if (!checkpoint) return tl::make_unexpected(with_context(checkpoint.error(), path));
  return checkpoint;
}

}  // namespace midinf

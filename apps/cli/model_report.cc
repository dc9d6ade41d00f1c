#include "model_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "base/file.h"
#include "model/checkpoint.h"
#include "model/convert.h"
#include "model/gguf.h"
#include "model/huggingface.h"

namespace midinf::cli {
namespace {

using nlohmann::json;

json to_json(const GgufValue& value) {
  return std::visit(
      [](const auto& v) -> json {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, GgufArray>) {
          return fmt::format("({} values)", v.count);
        } else {
          return v;
        }
      },
      value);
}

std::uint64_t parameters_of(const TensorInfo& tensor) {
  return static_cast<std::uint64_t>(tensor.rows) * static_cast<std::uint64_t>(tensor.columns);
}

std::uint64_t bytes_of(const TensorInfo& tensor) {
  return static_cast<std::uint64_t>(tensor.rows) * row_bytes(tensor.dtype, tensor.columns);
}

// The type of most numbers in the layers: what a file was converted to. The embedding may be kept at more.
DType main_type(const std::vector<TensorInfo>& tensors) {
  std::map<DType, std::uint64_t> parameters;
  for (const TensorInfo& tensor : tensors)
    if (tensor.name.starts_with("blk.")) parameters[tensor.dtype] += parameters_of(tensor);
  return std::max_element(parameters.begin(), parameters.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

json by_type(const std::vector<TensorInfo>& tensors) {
  json types = json::array();
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0}) {
    std::uint64_t count = 0, parameters = 0, bytes = 0;
    for (const TensorInfo& tensor : tensors) {
      if (tensor.dtype != type) continue;
      ++count;
      parameters += parameters_of(tensor);
      bytes += bytes_of(tensor);
    }
    if (count > 0)
      types.push_back({{"type", dtype_name(type)}, {"tensors", count}, {"parameters", parameters}, {"bytes", bytes}});
  }
  return types;
}

// Tensors of another type than the file's, with the reason that our converter would have; other converters' choices are
// theirs.
json kept_back(const std::vector<TensorInfo>& tensors) {
  const DType asked = main_type(tensors);
  json kept = json::array();
  const auto expected = kept_tensors(tensors, asked);
  for (const TensorInfo& tensor : tensors) {
    if (tensor.dtype == asked) continue;
    const auto found = std::find_if(expected.begin(), expected.end(), [&](const KeptTensor& k) {
      return k.name == tensor.name && k.stored == tensor.dtype;
    });
    kept.push_back({{"name", tensor.name},
                    {"type", dtype_name(tensor.dtype)},
                    {"reason", found == expected.end() ? "as the file's maker chose" : found->reason}});
  }
  return kept;
}

// The files that a checkpoint consists of; nothing but the file itself for GGUF.
Result<std::vector<std::string>> files_of(const std::string& path, bool gguf) {
  if (gguf) return std::vector<std::string>{path};
  return huggingface_files(path);
}

std::string megabytes(std::uint64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

std::string text_or(const json& object, const char* key, const char* otherwise) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

}  // namespace

std::string printable(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  return text;
}

std::string to_text(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace);
}

Result<json> describe_model(const std::string& path) {
  MIDINF_TRY_ASSIGN(checkpoint, open_checkpoint(path));
  GgufMetadata metadata;
  bool gguf = false;
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) {
    MIDINF_TRY_ASSIGN(file, MappedFile::open(path));
    gguf = looks_like_gguf(file.bytes());
    if (gguf) {
      MIDINF_TRY_ASSIGN(parsed, parse_gguf(file.bytes()));
      metadata = std::move(parsed.metadata);
    }
  }
  MIDINF_TRY_ASSIGN(files, files_of(path, gguf));
  std::uint64_t bytes = 0;
  for (const std::string& file : files) {
    const auto size = std::filesystem::file_size(file, ignored);
    if (!ignored) bytes += size;
  }

  const Gpt2Config& config = checkpoint->config();
  const std::vector<TensorInfo>& tensors = checkpoint->tensors();
  json description = {{"file", path},
                      {"format", gguf ? "gguf" : "hugging-face"},
                      {"bytes", bytes},
                      {"architecture", "gpt2"},
                      {"layers", config.layers},
                      {"heads", config.heads},
                      {"width", config.width},
                      {"context", config.context},
                      {"vocabulary", config.vocabulary},
                      {"layer_norm_epsilon", config.layer_norm_epsilon},
                      {"type", dtype_name(main_type(tensors))},
                      {"types", by_type(tensors)},
                      {"kept", kept_back(tensors)}};
  std::uint64_t parameters = 0;
  json list = json::array();
  for (const TensorInfo& tensor : tensors) {
    parameters += parameters_of(tensor);
    list.push_back({{"name", tensor.name},
                    {"type", dtype_name(tensor.dtype)},
                    {"rows", tensor.rows},
                    {"columns", tensor.columns}});
  }
  description["parameters"] = parameters;
  description["tensors"] = std::move(list);
  json keys = json::object();
  for (const auto& [key, value] : metadata) keys[key] = to_json(value);
  const std::string licence = text_or(keys, "general.license", "");
  description["licence"] = licence.empty() ? json(nullptr) : json(licence);
  description["metadata"] = std::move(keys);
  return description;
}

std::string describe_in_words(const json& d) {
  const json& keys = d["metadata"];
  std::string text = fmt::format("{}: {}, {}\n", d["file"].get<std::string>(), d["format"].get<std::string>(),
                                 megabytes(d["bytes"].get<std::uint64_t>()));
  if (const std::string name = text_or(keys, "general.name", ""); !name.empty())
    text += fmt::format("  name        {}\n", printable(name));
  text += fmt::format("  network     {}: {} layers, {} heads, width {}, context {}, vocabulary {}{}\n",
                      d["architecture"].get<std::string>(), d["layers"].get<int>(), d["heads"].get<int>(),
                      d["width"].get<int>(), d["context"].get<int>(), d["vocabulary"].get<int>(),
                      keys.contains("midinfinite.vocabulary")
                          ? " (" + printable(text_or(keys, "midinfinite.vocabulary", "?")) + ")"
                          : "");
  text += fmt::format("  parameters  {:.1f} M\n", static_cast<double>(d["parameters"].get<std::uint64_t>()) / 1e6);
  for (const json& type : d["types"])
    text += fmt::format("  {:<10}  {} tensors, {}\n", type["type"].get<std::string>(), type["tensors"].get<int>(),
                        megabytes(type["bytes"].get<std::uint64_t>()));
  // Norms and biases are many and no news; what a type could not hold is named.
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> groups;
  for (const json& kept : d["kept"])
    groups[{kept["type"].get<std::string>(), kept["reason"].get<std::string>()}].push_back(
        kept["name"].get<std::string>());
  for (const auto& [group, names] : groups) {
    const std::string which =
        names.size() <= 8 ? fmt::format("{}", fmt::join(names, ", ")) : fmt::format("{} tensors", names.size());
    text += fmt::format("  stayed {:<4} {} ({})\n", group.first, which, group.second);
  }
  text += fmt::format("  licence     {}\n",
                      d["licence"].is_string() ? printable(d["licence"].get<std::string>()) : "not stated");
  for (const auto& [key, value] : keys.items())
    if (key != "general.name" && key != "general.license" && key != "midinfinite.vocabulary" &&
        !key.starts_with("gpt2."))
      text += fmt::format("  {} = {}\n", printable(key),
                          printable(value.is_string() ? value.get<std::string>() : to_text(value)));
  return text;
}

}  // namespace midinf::cli

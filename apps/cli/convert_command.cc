#include "convert_command.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/file.h"
#include "info_command.h"
#include "model/checkpoint.h"
#include "model/convert.h"
#include "model/gguf.h"
#include "model/huggingface.h"
#include "score.h"
#include "terminal.h"

namespace midinf::cli {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::uint64_t kMaxTextFile = 4 << 20;

std::optional<DType> type_called(std::string_view name) {
  for (const DType type : {DType::kF32, DType::kF16, DType::kQ8_0, DType::kQ4_0})
    if (dtype_name(type) == name) return type;
  return std::nullopt;
}

Result<std::string> read_text(const std::string& path) {
  MIDINF_TRY_ASSIGN(bytes, read_file(path, kMaxTextFile));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void set(GgufMetadata& metadata, std::string key, GgufValue value) {
  const auto found =
      std::find_if(metadata.begin(), metadata.end(), [&](const auto& pair) { return pair.first == key; });
  if (found != metadata.end()) {
    found->second = std::move(value);
  } else {
    metadata.emplace_back(std::move(key), std::move(value));
  }
}

void set_text(GgufMetadata& metadata, std::string key, std::string value) {
  set(metadata, std::move(key), GgufValue(std::move(value)));
}

Result<std::string> sha256_of(const std::string& path) {
  MIDINF_TRY_ASSIGN(file, MappedFile::open(path));
  const auto bytes = file.bytes();
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  std::string text;
  for (const unsigned char byte : hash) text += fmt::format("{:02x}", byte);
  return text;
}

// The licence that a Hugging Face model card names between its first two "---" lines, if there is a card.
std::string licence_of_card(const fs::path& folder) {
  const auto card = read_text((folder / "README.md").string());
  if (!card || !card->starts_with("---\n")) return {};
  constexpr std::string_view kKey = "license:";
  std::size_t at = 4;
  while (at < card->size()) {
    const std::size_t end = std::min(card->find('\n', at), card->size());
    std::string_view line(card->data() + at, end - at);
    if (line.starts_with("---")) break;
    if (line.starts_with(kKey)) {
      line.remove_prefix(kKey.size());
      while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
      while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
      return std::string(line);
    }
    at = end + 1;
  }
  return {};
}

// "mini" for ".", "./mini" and "mini/" alike.
std::string folder_name(const fs::path& folder) {
  std::error_code ignored;
  const fs::path whole = fs::weakly_canonical(folder.empty() ? "." : folder, ignored);
  return whole.has_filename() ? whole.filename().string() : whole.parent_path().filename().string();
}

// Where a Hugging Face checkpoint came from, as far as its files tell.
Result<GgufMetadata> huggingface_facts(const std::string& source) {
  MIDINF_TRY_ASSIGN(files, huggingface_files(source));
  const fs::path folder = fs::path(files.front()).parent_path();
  GgufMetadata metadata;
  const std::string name = folder_name(folder);
  if (!name.empty()) set_text(metadata, "general.name", name);
  if (const std::string licence = licence_of_card(folder); !licence.empty())
    set_text(metadata, "general.license", licence);
  std::vector<std::string> names, hashes;
  for (std::size_t i = 1; i < files.size(); ++i) {
    MIDINF_TRY_ASSIGN(hash, sha256_of(files[i]));
    names.push_back(fs::path(files[i]).filename().string());
    hashes.push_back(std::move(hash));
  }
  set_text(metadata, "midinfinite.source.file", fmt::format("{}", fmt::join(names, ", ")));
  set_text(metadata, "midinfinite.source.sha256", fmt::format("{}", fmt::join(hashes, ", ")));
  MIDINF_TRY_ASSIGN(text, read_text(files.front()));
  MIDINF_TRY_ASSIGN(config, parse_huggingface_config(text));
  set(metadata, "midinfinite.source.inverse_layer_scale_folded", GgufValue(config.inverse_layer_scale));
  return metadata;
}

// What a GGUF file says of itself beyond its network. It keeps naming the weights that it was first made from.
Result<GgufMetadata> gguf_facts(const std::string& source, DType type) {
  MIDINF_TRY_ASSIGN(file, MappedFile::open(source));
  MIDINF_TRY_ASSIGN(gguf, parse_gguf(file.bytes()));
  GgufMetadata metadata = carried_metadata(gguf.metadata, type);
  if (!find_key(metadata, "midinfinite.source.sha256")) {
    MIDINF_TRY_ASSIGN(hash, sha256_of(source));
    set_text(metadata, "midinfinite.source.file", fs::path(source).filename().string());
    set_text(metadata, "midinfinite.source.sha256", hash);
  }
  return metadata;
}

// The keys of a JSON file: texts, whole numbers, numbers, true and false.
Result<void> add_file(GgufMetadata& metadata, const std::string& path) {
  MIDINF_TRY_ASSIGN(text, read_text(path));
  const json keys = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!keys.is_object()) return fail(ErrorCode::kInvalidArgument, "not a JSON object of keys and values", path);
  for (const auto& [key, value] : keys.items()) {
    if (!(key.starts_with("general.") || key.starts_with("midinfinite.")) || is_own_key(key))
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("'{}' cannot be set; keys begin with general. or midinfinite. and say nothing of the network",
                      key),
          path);
    if (value.is_string()) {
      set_text(metadata, key, value.get<std::string>());
    } else if (value.is_boolean()) {
      set(metadata, key, GgufValue(value.get<bool>()));
    } else if (value.is_number_unsigned() && value.get<std::uint64_t>() <= std::numeric_limits<std::uint32_t>::max()) {
      set(metadata, key, GgufValue(value.get<std::uint32_t>()));
    } else if (value.is_number_integer()) {
      set(metadata, key, GgufValue(value.get<std::int64_t>()));
    } else if (value.is_number()) {
      set(metadata, key, GgufValue(value.get<double>()));
    } else {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}' is neither a text nor a number nor true or false", key), path);
    }
  }
  return {};
}

Result<GgufMetadata> metadata_for(const ConvertArguments& arguments, DType type) {
  std::error_code ignored;
  bool gguf = false;
  if (!fs::is_directory(arguments.source, ignored)) {
    MIDINF_TRY_ASSIGN(file, MappedFile::open(arguments.source));
    gguf = looks_like_gguf(file.bytes());
  }
  MIDINF_TRY_ASSIGN(metadata, gguf ? gguf_facts(arguments.source, type) : huggingface_facts(arguments.source));
  if (!arguments.metadata.empty()) MIDINF_TRY(add_file(metadata, arguments.metadata));
  return std::move(metadata);
}

// Whether what was written says that it was calibrated.
Result<bool> convert_to_file(const ConvertArguments& arguments, DType type) {
  MIDINF_TRY_ASSIGN(checkpoint, open_checkpoint(arguments.source));
  ConvertOptions options;
  options.type = type;
  MIDINF_TRY_ASSIGN(metadata, metadata_for(arguments, type));
  options.metadata = std::move(metadata);
  if (!arguments.calibration.empty()) {
    MIDINF_TRY_ASSIGN(file, MappedFile::open(arguments.calibration));
    auto rows = rows_of_ids(file.bytes());
    if (!rows) return tl::make_unexpected(with_context(rows.error(), arguments.calibration));
    options.calibration = std::move(*rows);
    options.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    MIDINF_TRY_ASSIGN(hash, sha256_of(arguments.calibration));
    set_text(options.metadata, kCalibrationKey, hash);
  }
  Progress progress("converting", arguments.json);
  options.progress = [&](double fraction) {
    progress.update(fraction);
    return !interrupted();
  };
  MIDINF_TRY(convert(*checkpoint, arguments.destination, options));
  return find_key(options.metadata, kCalibrationKey) != nullptr;
}

}  // namespace

int run_convert(const ConvertArguments& arguments) {
  const auto type = type_called(arguments.type);
  if (!type) {
    report(Error{ErrorCode::kInvalidArgument, "no type to convert to; choose f32, f16, q8_0 or q4_0", arguments.type});
    return kWrongUsage;
  }
  if (*type != DType::kQ4_0 && !arguments.calibration.empty()) {
    report(Error{ErrorCode::kInvalidArgument, "--calibration is of use with --type q4_0 only", arguments.type});
    return kWrongUsage;
  }
  if (sodium_init() < 0) return report(Error{ErrorCode::kIo, "libsodium does not start", "sha256"});
  const auto calibrated = convert_to_file(arguments, *type);
  if (!calibrated) return interrupted() ? kInterrupted : report(calibrated.error());
  if (*type == DType::kQ4_0 && !*calibrated)
    std::fputs("without --calibration 4 bits cost several percent of likelihood; midinfinite score tells how much\n",
               stderr);
  if (arguments.destination == "-") return kDone;
  return run_info({arguments.destination, arguments.json});
}

}  // namespace midinf::cli

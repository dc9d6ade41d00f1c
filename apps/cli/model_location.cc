#include "model_location.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

namespace midinf::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDefaultModel = "mini-q8_0.gguf";

}  // namespace

fs::path program_folder() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path(".") : program.parent_path();
}

Result<std::string> find_model(const std::string& asked) {
  if (!asked.empty()) return asked;
  if (const char* from_environment = std::getenv("MIDINFINITE_MODEL"); from_environment && *from_environment)
    return std::string(from_environment);
  const fs::path beside = program_folder() / kDefaultModel;
  const fs::path installed = program_folder().parent_path() / "share" / "midinfinite" / kDefaultModel;
  std::error_code ignored;
  for (const fs::path& candidate : {beside, installed})
    if (fs::exists(candidate, ignored)) return candidate.string();
  return fail(ErrorCode::kNotFound, fmt::format("no model file at {} or {}; name one with --model or MIDINFINITE_MODEL",
                                                beside.string(), installed.string()));
}

}  // namespace midinf::cli

#include "app_location.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "model_location.h"

namespace midinf::cli {
namespace {

namespace fs = std::filesystem;

bool holds_an_app(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_regular_file(folder / "index.html", ignored);
}

Result<std::string> named_folder(const std::string& folder, const char* by) {
  if (holds_an_app(folder)) return folder;
  return fail(ErrorCode::kNotFound, fmt::format("there is no index.html in it; {} names the folder of a built app", by),
              folder);
}

}  // namespace

Result<std::string> find_app(const std::string& asked) {
  if (!asked.empty()) return named_folder(asked, "--app");
  if (const char* from_environment = std::getenv("MIDINFINITE_APP"); from_environment && *from_environment)
    return named_folder(from_environment, "MIDINFINITE_APP");
  const fs::path beside = program_folder() / "app";
  const fs::path installed = program_folder().parent_path() / "share" / "midinfinite" / "app";
  for (const fs::path& candidate : {beside, installed})
    if (holds_an_app(candidate)) return candidate.string();
  return fail(ErrorCode::kNotFound,
              fmt::format("no web app in {} or {}; name a built one with --app or MIDINFINITE_APP", beside.string(),
                          installed.string()));
}

}  // namespace midinf::cli

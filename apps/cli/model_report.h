// What a model file is, in words and as JSON: shared by `info` and `convert`.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/result.h"

namespace midinf::cli {

/// Everything there is to say about the checkpoint at `path` (any form that open_checkpoint takes): form, sizes,
/// parameters, bytes by type, tensors that are not of the file's main type and why, metadata, licence.
/// Errors: those of open_checkpoint.
Result<nlohmann::json> describe_model(const std::string& path);

/// The same for people: a few lines, ending in a newline. Control characters of the file's texts are shown as '?'.
std::string describe_in_words(const nlohmann::json& description);

/// `text` without control characters, fit for a terminal.
std::string printable(std::string text);

/// The JSON as text; bytes that are no UTF-8 are replaced, not thrown about.
std::string to_text(const nlohmann::json& json);

}  // namespace midinf::cli

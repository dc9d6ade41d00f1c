// Where the model file is when nobody says.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace midinf::cli {

/// `asked` if not empty, else the file named by MIDINFINITE_MODEL, else mini-q8_0.gguf beside the program, else under
/// share/midinfinite of the prefix that the program is installed in. Errors: kNotFound with the places looked at.
Result<std::string> find_model(const std::string& asked);

/// The folder that the running program lies in.
std::filesystem::path program_folder();

}  // namespace midinf::cli

// Where the built web app is when nobody says.
#pragma once

#include <string>

#include "base/result.h"

namespace midinf::cli {

/// `asked` if not empty, else the folder named by MIDINFINITE_APP, else app beside the program, else
/// share/midinfinite/app of the prefix that the program is installed in; it holds an index.html. Errors: kNotFound with
/// the places looked at.
Result<std::string> find_app(const std::string& asked);

}  // namespace midinf::cli

#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace midinf {

std::string Error::to_string() const {
  return where.empty() ? message : where + ": " + message;
}

Error with_context(Error error, const std::string& where) {
  error.where = error.where.empty() ? where : where + ": " + error.where;
  return error;
}

void assertion_failed(const char* condition, std::source_location at) {
  // The one place that prints: the program is about to end because of a bug of ours.
  std::fprintf(stderr, "midinfinite: internal error, please report: %s (%s:%u)\n", condition, at.file_name(),
               static_cast<unsigned>(at.line()));
  std::abort();
}

}  // namespace midinf

#include "info_command.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "model_report.h"
#include "terminal.h"

namespace midinf::cli {

int run_info(const InfoArguments& arguments) {
  const auto description = describe_model(arguments.file);
  if (!description) return report(description.error());
  fmt::print("{}", arguments.json ? to_text(*description) + "\n" : describe_in_words(*description));
  return kDone;
}

}  // namespace midinf::cli

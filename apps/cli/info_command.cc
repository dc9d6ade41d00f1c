#include "info_command.h"

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "model_report.h"
#include "terminal.h"

namespace midinf::cli {

int run_info(const InfoArguments& arguments) {
  const auto description = describe_model(arguments.file);
  if (!description) return report(description.error());
  const auto printed =
      write_file_whole("-", arguments.json ? to_text(*description) + "\n" : describe_in_words(*description));
  if (!printed) return report(printed.error());
  return kDone;
}

}  // namespace midinf::cli

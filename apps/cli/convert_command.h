// `midinfinite convert`: any checkpoint to a GGUF file, with where it came from written into it.
// Read next: model/convert.h, model_report.h.
#pragma once

#include <string>

namespace midinf::cli {

struct ConvertArguments {
  std::string source;         ///< a Hugging Face folder, a .safetensors, .bin or .gguf file
  std::string destination;    ///< the .gguf to write; "-": standard output, and then no report
  std::string type = "q8_0";  ///< f32, f16, q8_0 or q4_0
  std::string metadata;       ///< a JSON file of further keys (general.*, midinfinite.*); empty: none
  bool json = false;
  std::string calibration;  ///< for q4_0: a file of uint16 rows of 1,024 ids; empty: none
};

int run_convert(const ConvertArguments& arguments);

}  // namespace midinf::cli

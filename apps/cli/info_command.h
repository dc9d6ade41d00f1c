// `midinfinite info`: what a model file is. Read next: model_report.h.
#pragma once

#include <string>

namespace midinf::cli {

struct InfoArguments {
  std::string file;  ///< a .gguf, a Hugging Face folder, a .safetensors or a .bin
  bool json = false;
};

int run_info(const InfoArguments& arguments);

}  // namespace midinf::cli

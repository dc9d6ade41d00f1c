// For tests: the reference logits that lie in tests/data/golden.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "base/file.h"
#include "model/safetensors.h"

namespace midinf {

/// What PyTorch computed: tokens [1, n], positions [p], logits [1, p, vocabulary].
struct GoldenLogits {
  explicit GoldenLogits(const std::string& path) : file(*MappedFile::open(path)) {
    const auto tensors = parse_safetensors(file.bytes());
    for (const RawTensor& tensor : *tensors) {
      if (tensor.name == "tokens") tokens = numbers(tensor);
      if (tensor.name == "positions") positions = numbers(tensor);
      if (tensor.name != "logits") continue;
      logits.resize(tensor.bytes.size() / 4);
      std::memcpy(logits.data(), tensor.bytes.data(), tensor.bytes.size());
    }
  }
  static std::vector<std::int32_t> numbers(const RawTensor& tensor) {
    std::vector<std::int32_t> values(tensor.bytes.size() / 4);
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    return values;
  }
  MappedFile file;
  std::vector<std::int32_t> tokens, positions;
  std::vector<float> logits;
};

}  // namespace midinf

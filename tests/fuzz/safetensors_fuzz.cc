// Any bytes as a safetensors file: refused, or tensors that can be read.
// Seeds: corpus/safetensors, files of model/test_files.h.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto tensors = midinf::parse_safetensors(std::as_bytes(std::span(data, size)));
  if (!tensors) return 0;
  for (const midinf::RawTensor& tensor : *tensors) {
    if (!tensor.dtype || tensor.shape.empty() || tensor.shape.size() > 2 || tensor.bytes.empty()) continue;
    std::vector<float> row(static_cast<std::size_t>(tensor.shape.back()));
    midinf::read_row(tensor, tensor.shape.size() == 2 ? tensor.shape[0] - 1 : 0, row);
  }
  return 0;
}

// Any bytes as a GGUF file: refused, or a network whose every tensor can be read.
// Seeds: corpus/gguf, networks of a few numbers, written by model/convert.h.
#include <cstddef>
#include <cstdint>
#include <span>

#include "model/gguf_checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto checkpoint = midinf::gguf_checkpoint(std::as_bytes(std::span(data, size)), nullptr);
  if (!checkpoint) return 0;
  for (const midinf::TensorInfo& tensor : (*checkpoint)->tensors()) {
    const auto values = (*checkpoint)->read(tensor.name);
    MIDINF_ASSERT(values && values->size() == std::size_t(tensor.rows) * std::size_t(tensor.columns));
  }
  return 0;
}

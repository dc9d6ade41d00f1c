// Any bytes as a PyTorch checkpoint: as the archive, and as the pickle within one. Refused, or tensors that can be
// read. Seeds: corpus/pickle, archives and pickles of model/test_files.h, one that names os.system, and those of the
// golden checkpoints.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/pickle.h"
#include "model/pytorch_bin.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  static_cast<void>(midinf::parse_pickled_tensors(bytes));
  const auto tensors = midinf::parse_pytorch_bin(bytes);
  if (!tensors) return 0;
  for (const midinf::RawTensor& tensor : *tensors) {
    if (!tensor.dtype || tensor.shape.empty() || tensor.shape.size() > 2 || tensor.bytes.empty()) continue;
    // A stride of 0 makes rows of any length out of one number.
    std::vector<float> row(static_cast<std::size_t>(std::min<std::uint64_t>(tensor.shape.back(), 4096)));
    midinf::read_row(tensor, tensor.shape.size() == 2 ? tensor.shape[0] - 1 : 0, row);
  }
  return 0;
}

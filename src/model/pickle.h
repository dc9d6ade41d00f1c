// The pickle that torch.save writes for a state dict, read by a machine that can rebuild tensors and nothing else:
// it runs nothing that a pickle names, and what it does not know it refuses by name.
// Must not know: zip archives, where a storage's bytes are. Read next: pytorch_bin.cc.
// Source: Python's pickletools (the opcodes, protocols 2 to 5), torch/_utils.py (what the rebuild functions take).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace midinf {

/// One tensor of a state dict: a strided view of a storage that is kept elsewhere. All counts are in elements and not
/// negative; nothing has been checked against the storage's real size yet.
struct PickledTensor {
  std::string name;
  std::string storage_type;  ///< "FloatStorage"
  std::string storage_key;   ///< the file in the archive's data folder
  std::uint64_t storage_size = 0;
  std::uint64_t offset = 0;
  std::vector<std::uint64_t> shape;
  std::vector<std::uint64_t> strides;  ///< as many as `shape` has
};

/// Reads a pickled state dict: a dict or OrderedDict from names to tensors or parameters. Errors: kUnsupported for a
/// pickle that names any other function or class ("os.system"), for an opcode that no state dict needs, for other
/// contents and for more than 1 MiB; kCorrupt for a pickle that breaks its own rules. Cost and memory: linear in the
/// pickle, whatever it says. [any thread]
Result<std::vector<PickledTensor>> parse_pickled_tensors(std::span<const std::byte> pickle);

}  // namespace midinf

#include "model/checkpoint.h"

#include <algorithm>

#include "model/huggingface.h"

namespace midinf {

const TensorInfo* Checkpoint::find(std::string_view name) const {
  const auto found =
      std::find_if(tensors_.begin(), tensors_.end(), [&](const TensorInfo& t) { return t.name == name; });
  return found == tensors_.end() ? nullptr : &*found;
}

Result<std::unique_ptr<Checkpoint>> open_checkpoint(const std::string& path) {
  return open_huggingface(path);
}

}  // namespace midinf

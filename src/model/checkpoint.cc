#include "model/checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/file.h"
#include "model/gguf.h"
#include "model/gguf_checkpoint.h"
#include "model/huggingface.h"

namespace midinf {

const TensorInfo* Checkpoint::find(std::string_view name) const {
  const auto found =
      std::find_if(tensors_.begin(), tensors_.end(), [&](const TensorInfo& t) { return t.name == name; });
  return found == tensors_.end() ? nullptr : &*found;
}

Result<std::unique_ptr<Checkpoint>> open_checkpoint(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return open_huggingface(path);
  MIDINF_TRY_ASSIGN(file, MappedFile::open(path));
  if (!looks_like_gguf(file.bytes())) return open_huggingface(path);
  const auto kept = std::make_shared<MappedFile>(std::move(file));
  auto checkpoint = gguf_checkpoint(kept->bytes(), kept);
  if (!checkpoint) return tl::make_unexpected(with_context(checkpoint.error(), path));
  return checkpoint;
}

}  // namespace midinf

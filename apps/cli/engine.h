// The network behind a command: found, opened, loaded, with its threads.
#pragma once

#include <memory>
#include <string>

#include "base/compute_pool.h"
#include "base/result.h"
#include "model/forward.h"

namespace midinf::cli {

struct Engine {
  std::string model_path;
  std::shared_ptr<const Network> network;
  std::shared_ptr<ComputePool> pool;

  /// For music without a listener, who would go back further than over one slide.
  [[nodiscard]] Decoder decoder() const { return {network, pool, 2}; }
};

/// `model` as for find_model; `threads` 0 means as many as there are processors. Errors: as open_checkpoint, and
/// kUnsupported for a network that does not speak the AMT vocabulary.
Result<Engine> load_engine(const std::string& model, int threads, const Network::LoadOptions& options = {});

}  // namespace midinf::cli

#include "engine.h"

#include "model/checkpoint.h"
#include "model_location.h"
#include "stream/playable.h"

namespace midinf::cli {

Result<Engine> load_engine(const std::string& model, int threads, const Network::LoadOptions& options) {
  Engine engine;
  MIDINF_TRY_ASSIGN(path, find_model(model));
  MIDINF_TRY_ASSIGN(checkpoint, open_checkpoint(path));
  if (const auto playable = check_playable(checkpoint->config()); !playable)
    return tl::make_unexpected(with_context(playable.error(), path));
  MIDINF_TRY_ASSIGN(kernels, select_kernels());
  auto network = Network::load(*checkpoint, *kernels, options);
  if (!network) return tl::make_unexpected(with_context(network.error(), path));
  engine.model_path = path;
  engine.network = *network;
  engine.pool = shared_compute_pool(threads > 0 ? threads : default_thread_count());
  return engine;
}

}  // namespace midinf::cli

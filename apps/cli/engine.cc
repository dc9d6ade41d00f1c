#include "engine.h"

#include <fmt/format.h>

#include "model/checkpoint.h"
#include "model_location.h"
#include "tokens/vocabulary.h"

namespace midinf::cli {

Result<Engine> load_engine(const std::string& model, int threads) {
  Engine engine;
  MIDINF_TRY_ASSIGN(path, find_model(model));
  MIDINF_TRY_ASSIGN(checkpoint, open_checkpoint(path));
  const Gpt2Config& config = checkpoint->config();
  if (config.vocabulary != kVocabulary)
    return fail(ErrorCode::kUnsupported,
                fmt::format("this network has {} ids where the arrival-time vocabulary has {}; only models of that "
                            "vocabulary can play",
                            config.vocabulary, kVocabulary),
                path);
  if (config.context < kContext)
    return fail(ErrorCode::kUnsupported,
                fmt::format("this network reads {} ids at once; {} are needed", config.context, kContext), path);
  MIDINF_TRY_ASSIGN(kernels, select_kernels());
  auto network = Network::load(*checkpoint, *kernels);
  if (!network) return tl::make_unexpected(with_context(network.error(), path));
  engine.model_path = path;
  engine.network = *network;
  engine.pool = std::make_shared<ComputePool>(threads > 0 ? threads : default_thread_count());
  return engine;
}

}  // namespace midinf::cli

// midinf_model: loading and converting checkpoints.
#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/file.h"
#include "c_api/boundary.h"
#include "c_api/engine.h"
#include "model/checkpoint.h"
#include "model/convert.h"
#include "model/gguf.h"
#include "model/gguf_checkpoint.h"
#include "stream/playable.h"

using namespace midinf;

namespace {

constexpr int kMostThreads = 256;

using Progress = std::function<bool(double)>;

Progress progress_of(midinf_progress_fn function, void* user) {
  if (function == nullptr) return {};
  return [function, user](double done) { return function(user, done); };
}

// "-" is a file here as any other: the library reads no standard input.
std::string path_of(const char* path) {
  return std::string_view(path) == "-" ? "./-" : path;
}

// The last word, when all is there: it can still be refused.
Result<void> finish(const Progress& progress) {
  if (!progress || progress(1)) return {};
  return fail(ErrorCode::kCancelled, "stopped");
}

constexpr midinf_model_params kModelDefaults{sizeof(midinf_model_params), 0, nullptr, nullptr, nullptr, 0};
constexpr midinf_convert_params kConvertDefaults{sizeof(midinf_convert_params), nullptr, nullptr, nullptr};

template <class Open>
Result<std::shared_ptr<Engine>> load(const midinf_model_params* given, const Open& open) {
  midinf_model_params params = kModelDefaults;
  if (given != nullptr) {
    MIDINF_TRY_ASSIGN(read, struct_in(given, kModelDefaults, "params"));
    params = read;
  }
  MIDINF_TRY(check_range(params.threads, 0, kMostThreads, "threads"));
  MIDINF_TRY(check_range(params.float_cache, 0, 1, "float_cache"));
  MIDINF_TRY_ASSIGN(kernels, select_kernels(params.kernels != nullptr ? params.kernels : ""));
  const Progress progress = progress_of(params.progress, params.progress_user);
  MIDINF_TRY_ASSIGN(checkpoint, open());
  MIDINF_TRY(check_playable(checkpoint->config()));
  std::uint64_t parameters = 0;
  for (const TensorInfo& tensor : checkpoint->tensors())
    parameters += static_cast<std::uint64_t>(tensor.rows) * static_cast<std::uint64_t>(tensor.columns);
  MIDINF_TRY_ASSIGN(
      network, Network::load(*checkpoint, *kernels, {.float_cache = params.float_cache != 0, .progress = progress}));
  const int threads = params.threads > 0 ? params.threads : default_thread_count();
  auto engine = std::make_shared<Engine>(network, threads, parameters);
  MIDINF_TRY(finish(progress));
  return engine;
}

Result<DType> type_called(std::string_view name) {
  for (const DType type : {DType::kF32, DType::kF16, DType::kQ8_0, DType::kQ4_0})
    if (dtype_name(type) == name) return type;
  return refuse(fmt::format("'{}' is no type to convert to; choose f32, f16, q8_0 or q4_0", name), "type");
}

// A GGUF file goes on saying what it said of itself.
Result<GgufMetadata> metadata_of(const std::string& source, DType type) {
  std::error_code ignored;
  if (std::filesystem::is_directory(source, ignored)) return GgufMetadata{};
  MIDINF_TRY_ASSIGN(file, MappedFile::open(source));
  if (!looks_like_gguf(file.bytes())) return GgufMetadata{};
  MIDINF_TRY_ASSIGN(gguf, parse_gguf(file.bytes()));
  return carried_metadata(gguf.metadata, type);
}

}  // namespace

extern "C" {

void midinf_model_params_init(midinf_model_params* params) {
  struct_init(params, kModelDefaults);
}

midinf_status midinf_model_load_file(const char* path, const midinf_model_params* params, midinf_model** model) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(path, "path"));
    MIDINF_TRY(require(model, "model"));
    auto engine = load(params, [&] { return open_checkpoint(path_of(path)); });
    if (!engine) return tl::make_unexpected(engine.error());
    *model = new midinf_model{*std::move(engine)};
    return {};
  });
}

midinf_status midinf_model_load_memory(const void* bytes, size_t size, const midinf_model_params* params,
                                       midinf_model** model) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY_ASSIGN(file, bytes_in(bytes, size, "bytes"));
    MIDINF_TRY(require(model, "model"));
    MIDINF_TRY_ASSIGN(engine, load(params, [&file = file] { return gguf_checkpoint(file, nullptr); }));
    *model = new midinf_model{std::move(engine)};
    return {};
  });
}

void midinf_model_free(midinf_model* model) {
  delete model;
}

midinf_status midinf_model_get_info(const midinf_model* model, midinf_model_info* info) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(model, "model"));
    MIDINF_TRY(check_struct(info, "info"));
    const Gpt2Config& config = model->engine->network->config();
    struct_out({.struct_size = sizeof *info,
                .layers = config.layers,
                .heads = config.heads,
                .width = config.width,
                .context = config.context,
                .vocabulary = config.vocabulary,
                .parameters = model->engine->parameters,
                .threads = model->engine->pool->threads(),
                .kernels = model->engine->network->kernels().name.data()},  // a literal
               info);
    return {};
  });
}

void midinf_convert_params_init(midinf_convert_params* params) {
  struct_init(params, kConvertDefaults);
}

midinf_status midinf_convert(const char* source, const char* destination, const midinf_convert_params* given) {
  return guarded([&]() -> Result<void> {
    MIDINF_TRY(require(source, "source"));
    MIDINF_TRY(require(destination, "destination"));
    midinf_convert_params params = kConvertDefaults;
    if (given != nullptr) {
      MIDINF_TRY_ASSIGN(read, struct_in(given, kConvertDefaults, "params"));
      params = read;
    }
    ConvertOptions options;
    if (params.type != nullptr) {
      MIDINF_TRY_ASSIGN(type, type_called(params.type));
      options.type = type;
    }
    options.progress = progress_of(params.progress, params.progress_user);
    MIDINF_TRY_ASSIGN(checkpoint, open_checkpoint(path_of(source)));
    MIDINF_TRY_ASSIGN(metadata, metadata_of(path_of(source), options.type));
    options.metadata = std::move(metadata);
    MIDINF_TRY(convert(*checkpoint, path_of(destination), options));
    if (options.progress) options.progress(1);  // too late to stop: the file is there
    return {};
  });
}
}

#include "model/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include "base/compute_pool.h"
#include "model/forward.h"

namespace midinf {
namespace {

constexpr std::size_t kIdsAtOnce = 256;

// The inputs of one matrix for some tokens, column after column: [columns, kIdsAtOnce], those behind the last zero.
struct Inputs {
  std::vector<float> columns;
  std::vector<float> moments;

  explicit Inputs(int count)
      : columns(static_cast<std::size_t>(count) * kIdsAtOnce),
        moments(static_cast<std::size_t>(count) * static_cast<std::size_t>(count)) {}

  void put(int first, const float* values, int width, int stride, int tokens) {
    for (int c = 0; c < width; ++c) {
      float* column = &columns[static_cast<std::size_t>(first + c) * kIdsAtOnce];
      for (int t = 0; t < tokens; ++t) column[t] = values[static_cast<std::ptrdiff_t>(t) * stride + c];
      std::fill(column + tokens, column + kIdsAtOnce, 0.0F);
    }
  }
};

// moments += columns · columnsᵀ, the panels of rows shared among the threads.
void add_moments(Inputs& inputs, const KernelSet& kernels, ComputePool& pool) {
  const int count = static_cast<int>(inputs.columns.size() / kIdsAtOnce);
  const MatrixView matrix{DType::kF32, reinterpret_cast<const std::byte*>(inputs.columns.data()), count,
                          static_cast<int>(kIdsAtOnce)};
  std::vector<int> rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(), 0);
  std::vector<std::byte> packed(PanelMatrix{DType::kF32, nullptr, count, static_cast<int>(kIdsAtOnce)}.bytes());
  const PanelMatrix panels = pack(matrix, rows, {0, static_cast<int>(kIdsAtOnce)}, packed.data());
  const ActivationView columns{.values = inputs.columns.data(), .stride = static_cast<int>(kIdsAtOnce)};
  pool.run([&](int thread) {
    std::vector<float> sums(static_cast<std::size_t>(count) * kPanelRows);
    const IndexRange mine = share(panels.panels(), 1, thread, pool.threads());
    for (int p = mine.begin; p < mine.end; ++p) {
      kernels.multiply(panels, {p, p + 1}, nullptr, columns, count, sums.data(), kPanelRows);
      const int first = p * kPanelRows, wide = std::min(kPanelRows, count - first);
      for (int r = 0; r < count; ++r)
        for (int i = 0; i < wide; ++i)
          inputs.moments[static_cast<std::size_t>(r) * static_cast<std::size_t>(count) +
                         static_cast<std::size_t>(first + i)] += sums[static_cast<std::size_t>(r * kPanelRows + i)];
    }
  });
}

}  // namespace

Result<InputMoments> measure_inputs(const Checkpoint& checkpoint, std::span<const std::vector<TokenId>> rows,
                                    int threads, const std::function<bool(double)>& progress,
                                    const std::function<bool(const TensorInfo&)>& of) {
  const Gpt2Config& shape = checkpoint.config();
  for (const auto& row : rows) {
    if (row.size() > static_cast<std::size_t>(shape.context))
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("rows of {} ids are longer than the context of this model, {}; calibrate with shorter ones",
                      row.size(), shape.context));
    for (const TokenId id : row)
      if (id < 0 || id >= shape.vocabulary)
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("id {} is outside the vocabulary of {} ids", id, shape.vocabulary));
  }
  MIDINF_TRY_ASSIGN(kernels, select_kernels());
  MIDINF_TRY_ASSIGN(network, Network::load(checkpoint, *kernels, {.exact = true, .progress = {}}));
  const auto pool = std::make_shared<ComputePool>(threads);
  Decoder decoder(network, pool);

  std::map<std::string, Inputs> inputs;
  for (const TensorInfo& tensor : checkpoint.tensors())
    if (tensor.rows > 1 && tensor.name != "position_embd.weight" && (!of || of(tensor)))
      inputs.emplace(tensor.name, Inputs(tensor.columns));
  decoder.set_observer([&](const Decoder::Observed& seen) {
    const std::string name =
        seen.layer < 0 ? std::string(seen.matrix) : fmt::format("blk.{}.{}", seen.layer, seen.matrix);
    if (const auto input = inputs.find(name); input != inputs.end())
      input->second.put(seen.columns.begin, seen.values, seen.columns.size(), seen.stride, seen.tokens);
  });

  const std::size_t all = std::accumulate(rows.begin(), rows.end(), std::size_t{0},
                                          [](std::size_t n, const auto& r) { return n + r.size(); });
  std::size_t done = 0;
  for (const auto& row : rows) {
    std::span<const TokenId> ids(row);
    for (std::size_t at = 0; at < ids.size(); at += kIdsAtOnce) {
      if (progress && !progress(static_cast<double>(done) / static_cast<double>(all)))
        return fail(ErrorCode::kCancelled, "stopped while the calibration rows were read");
      const auto now = ids.subspan(at, std::min(kIdsAtOnce, ids.size() - at));
      if (at == 0)
        static_cast<void>(decoder.read_from_start(now));
      else
        static_cast<void>(decoder.read_on(now));
      for (auto& [name, input] : inputs) add_moments(input, *kernels, *pool);
      done += now.size();
    }
  }
  InputMoments moments;
  for (auto& [name, input] : inputs) moments.emplace(name, std::move(input.moments));
  return moments;
}

}  // namespace midinf

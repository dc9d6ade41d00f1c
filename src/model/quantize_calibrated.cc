// Source: Frantar, Ashkboos, Hoefler, Alistarh: "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
// Transformers", 2023. Read in this order: inverse_factor, best_scale, round_rows, encode_q4_calibrated.
#include "model/quantize_calibrated.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/compute_pool.h"
#include "base/dtype.h"
#include "base/float16.h"
#include "base/shares.h"

namespace midinf {
namespace {

constexpr double kDamping = 0.05;  // of the mean diagonal, added to it: examples are few, and some columns never spoke
constexpr int kRowsAtOnce = 16;    // whose columns behind share each reading of the factor

// A sum in eight lanes, which compilers can keep in registers.
double dot(const double* a, const double* b, std::size_t n) {
  std::array<double, 8> lanes{};
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (std::size_t lane = 0; lane < 8; ++lane) lanes[lane] += a[i + lane] * b[i + lane];
  double sum = 0;
  for (; i < n; ++i) sum += a[i] * b[i];
  for (const double lane : lanes) sum += lane;
  return sum;
}

// The upper triangular U with UᵀU = (moments + damping)⁻¹, row by row: U[j, j] says how far column j is free when all
// before it are fixed, the rest of its row how the columns behind make good for an error of it.
std::vector<float> inverse_factor(std::span<const float> moments, std::size_t n) {
  double mean = 0;
  for (std::size_t i = 0; i < n; ++i) mean += moments[i * n + i] / static_cast<double>(n);
  const double damping = mean > 0 ? kDamping * mean : 1;
  // With both orders turned round, A = L Lᵀ, and U is L⁻¹ turned round.
  std::vector<double> lower(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j <= i; ++j)
      lower[i * n + j] = moments[(n - 1 - i) * n + (n - 1 - j)] + (i == j ? damping : 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    double* row = &lower[i * n];
    for (std::size_t j = 0; j < i; ++j) row[j] = (row[j] - dot(row, &lower[j * n], j)) / lower[j * n + j];
    // Rounding may leave nothing where columns depend on each other.
    row[i] = std::sqrt(std::max(row[i] - dot(row, row, i), 0.01 * damping));
  }
  std::vector<double> inverse(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    double* row = &inverse[i * n];
    for (std::size_t k = 0; k < i; ++k) {
      const double factor = lower[i * n + k];
      const double* above = &inverse[k * n];
      for (std::size_t j = 0; j <= k; ++j) row[j] -= factor * above[j];
    }
    row[i] += 1;
    for (std::size_t j = 0; j <= i; ++j) row[j] /= lower[i * n + i];
  }
  std::vector<float> upper(n * n, 0.0F);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j <= i; ++j) upper[(n - 1 - i) * n + (n - 1 - j)] = static_cast<float>(inverse[i * n + j]);
  return upper;
}

int nearest_number(float value, float inverse_scale) {
  const float number = std::nearbyint(value * inverse_scale);
  return number > -8 ? static_cast<int>(std::min(number, 7.0F)) : -8;  // no number at all, too
}

// The float16 scale of a block under which its numbers, rounded, come nearest, each with its importance.
std::uint16_t best_scale(const float* x, const std::array<float, kQuantBlock>& importance) {
  float largest = 0, extreme = 0;
  for (int i = 0; i < kQuantBlock; ++i)
    if (std::fabs(x[i]) > largest) largest = std::fabs(x[i]), extreme = x[i];
  std::uint16_t best = 0;
  double least = -1;
  const auto consider = [&](float scale) {
    const std::uint16_t half = f32_to_f16(scale);
    const float kept = f16_to_f32(half);
    const float inverse = kept == 0 || std::isinf(1.0F / kept) ? 0.0F : 1.0F / kept;
    double error = 0, up = 0, down = 0;
    for (int i = 0; i < kQuantBlock; ++i) {
      const auto number = static_cast<float>(nearest_number(x[i], inverse));
      const float off = x[i] - kept * number, weight = importance[static_cast<std::size_t>(i)];
      error += weight * off * off;
      up += weight * number * x[i];
      down += weight * number * number;
    }
    if (least < 0 || error < least) least = error, best = half;
    return down > 0 ? static_cast<float>(up / down) : scale;
  };
  // The extreme number becomes -8 or 7, or something a little beyond or within; then the scale that fits these numbers.
  for (const float edge : {-8.0F, 7.0F})
    for (int step = 0; step < 8; ++step)
      consider(consider(extreme / edge * (1.05F - 0.05F * static_cast<float>(step))));
  return best;
}

// Rows of the matrix being rounded, as float32 and as blocks.
struct Rows {
  float* values;     // [count, columns], spent
  std::byte* bytes;  // [count, row_bytes]
  int count;
};

// False when the corrections leave the range of a float16 scale.
bool round_rows(const Rows& rows, std::size_t columns, std::span<const float> factor) {
  const std::size_t stored = row_bytes(DType::kQ4_0, static_cast<int>(columns));
  std::vector<float> errors(static_cast<std::size_t>(rows.count) * kQuantBlock);
  std::array<float, kQuantBlock> importance{};
  for (std::size_t first = 0; first < columns; first += kQuantBlock) {
    for (std::size_t j = 0; j < kQuantBlock; ++j) {
      const float free = factor[(first + j) * columns + first + j];
      importance[j] = 1 / (free * free);
    }
    const std::size_t behind = first + kQuantBlock;
    for (int r = 0; r < rows.count; ++r) {
      float* x = rows.values + static_cast<std::size_t>(r) * columns + first;
      float* error = &errors[static_cast<std::size_t>(r) * kQuantBlock];
      std::byte* block = rows.bytes + static_cast<std::size_t>(r) * stored + first / kQuantBlock * kQ4BlockBytes;
      const std::uint16_t half = best_scale(x, importance);
      std::memcpy(block, &half, sizeof half);
      const float scale = f16_to_f32(half);
      if (!std::isfinite(scale)) return false;
      const float inverse = scale == 0 || std::isinf(1.0F / scale) ? 0.0F : 1.0F / scale;
      std::array<int, kQuantBlock> numbers{};
      for (std::size_t j = 0; j < kQuantBlock; ++j) {
        const float* row = &factor[(first + j) * columns + first];
        numbers[j] = nearest_number(x[j], inverse);
        error[j] = (x[j] - scale * static_cast<float>(numbers[j])) / row[j];
        for (std::size_t k = j + 1; k < kQuantBlock; ++k) x[k] -= error[j] * row[k];
      }
      for (std::size_t i = 0; i < kQuantBlock / 2; ++i)
        block[2 + i] = static_cast<std::byte>((numbers[i] + 8) | (numbers[i + kQuantBlock / 2] + 8) << 4);
    }
    for (std::size_t j = 0; j < kQuantBlock; ++j) {
      const float* row = &factor[(first + j) * columns];
      for (int r = 0; r < rows.count; ++r) {
        const float error = errors[static_cast<std::size_t>(r) * kQuantBlock + j];
        float* x = rows.values + static_cast<std::size_t>(r) * columns;
        for (std::size_t k = behind; k < columns; ++k) x[k] -= error * row[k];
      }
    }
  }
  return true;
}

}  // namespace

Result<std::vector<std::byte>> encode_q4_calibrated(std::span<const float> values, int columns,
                                                    std::span<const float> moments, int threads,
                                                    const std::function<bool()>& go_on) {
  const auto width = static_cast<std::size_t>(columns);
  MIDINF_ASSERT(columns % kQuantBlock == 0 && values.size() % width == 0 && moments.size() == width * width);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!(std::fabs(values[i]) < 65504.0F))  // float16's largest
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("row {}, column {} is {}, which q4_0 cannot hold; the source is damaged or its training "
                              "diverged",
                              i / width, i % width, values[i]));
  if (!std::all_of(moments.begin(), moments.end(), [](float m) { return std::isfinite(m); }))
    return fail(ErrorCode::kInvalidArgument, "the network computes no numbers on the calibration rows");
  const std::vector<float> factor = inverse_factor(moments, width);
  const int rows = static_cast<int>(values.size() / width);
  const std::size_t stored = row_bytes(DType::kQ4_0, columns);
  std::vector<std::byte> bytes(static_cast<std::size_t>(rows) * stored);
  ComputePool pool(threads);
  std::atomic<int> next{0};
  std::atomic<bool> stopped{false}, diverged{false};
  pool.run([&](int thread) {
    std::vector<float> mine;
    for (int first; !stopped && !diverged && (first = next.fetch_add(kRowsAtOnce)) < rows;) {
      const int count = std::min(kRowsAtOnce, rows - first);
      const auto at = static_cast<std::size_t>(first);
      mine.assign(values.begin() + static_cast<std::ptrdiff_t>(at * width),
                  values.begin() + static_cast<std::ptrdiff_t>((at + static_cast<std::size_t>(count)) * width));
      if (!round_rows({mine.data(), &bytes[at * stored], count}, width, factor)) diverged = true;
      if (thread == 0 && go_on && !go_on()) stopped = true;
    }
  });
  if (diverged)
    return fail(ErrorCode::kInvalidArgument,
                "the corrections for rounding grow beyond all bounds; its inputs on the calibration rows are extreme, "
                "so convert without --calibration");
  if (stopped) return fail(ErrorCode::kCancelled, "stopped; nothing was written");
  return bytes;
}

}  // namespace midinf

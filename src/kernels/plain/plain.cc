// The kernels as they are meant: plain loops that every compiler turns into code for any processor. The oracle of the
// other sets (kernels_test.cc).
#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "kernels/kernels.h"

namespace midinf {
namespace {

// Eight sums side by side: compilers may not reorder one float sum, but can put these into vector registers.
float dot(const float* a, const float* b, std::size_t n) {
  float lanes[8] = {};
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (std::size_t lane = 0; lane < 8; ++lane) lanes[lane] += a[i + lane] * b[i + lane];
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  for (; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

void multiply(const MatrixView& w, RowBlock rows, std::span<const float> bias, std::span<const float> x, int tokens,
              float* y, int y_stride) {
  const auto columns = static_cast<std::size_t>(w.columns);
  std::vector<float> row(columns);
  for (int r = rows.begin; r < rows.end; ++r) {
    read_row(w, r, row);
    for (int t = 0; t < tokens; ++t)
      y[static_cast<std::ptrdiff_t>(t) * y_stride + (r - rows.begin)] =
          dot(row.data(), &x[static_cast<std::size_t>(t) * columns], columns) +
          (bias.empty() ? 0.0F : bias[static_cast<std::size_t>(r)]);
  }
}

void layer_norm(std::span<const float> x, std::span<const float> weight, std::span<const float> bias, float epsilon,
                std::span<float> y) {
  float mean = 0;
  for (const float value : x) mean += value;
  mean /= static_cast<float>(x.size());
  float variance = 0;
  for (const float value : x) variance += (value - mean) * (value - mean);
  variance /= static_cast<float>(x.size());
  const float scale = 1.0F / std::sqrt(variance + epsilon);
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
}

void gelu(std::span<float> x) {
  constexpr float kSqrt2OverPi = std::numbers::sqrt2_v<float> * std::numbers::inv_sqrtpi_v<float>;
  for (float& v : x) v = 0.5F * v * (1.0F + std::tanh(kSqrt2OverPi * (v + 0.044715F * v * v * v)));
}

void attend(std::span<const float> q, std::span<const float> keys, std::span<const float> values,
            std::span<float> scores, std::span<float> out) {
  const std::size_t head_width = q.size();
  const float scale = 1.0F / std::sqrt(static_cast<float>(head_width));
  float highest = -INFINITY;
  for (std::size_t p = 0; p < scores.size(); ++p) {
    scores[p] = dot(q.data(), &keys[p * head_width], head_width) * scale;
    highest = std::max(highest, scores[p]);
  }
  float total = 0;
  for (float& score : scores) total += score = std::exp(score - highest);
  std::fill(out.begin(), out.end(), 0.0F);
  for (std::size_t p = 0; p < scores.size(); ++p)
    for (std::size_t i = 0; i < head_width; ++i) out[i] += scores[p] * values[p * head_width + i];
  for (float& value : out) value /= total;
}

}  // namespace

extern const KernelSet kPlainKernels;
const KernelSet kPlainKernels{"plain", multiply, layer_norm, gelu, attend};

}  // namespace midinf

// The kernels as they are meant: plain loops over float32 that every compiler turns into code for any processor, exact
// where others round activations. The oracle of the other sets (kernels_test.cc).
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

void multiply(const PanelMatrix& w, IndexRange panels, const float* bias, const ActivationView& x, int tokens, float* y,
              int y_stride) {
  const auto columns = static_cast<std::size_t>(w.columns);
  std::vector<float> row(columns);
  for (int i = 0; i < panels.size() * kPanelRows; ++i) {
    const int r = panels.begin * kPanelRows + i;
    std::fill(row.begin(), row.end(), 0.0F);
    if (r < w.rows) read_row(w, r, row);
    for (int t = 0; t < tokens; ++t)
      y[static_cast<std::ptrdiff_t>(t) * y_stride + i] =
          dot(row.data(), x.token(t).values, columns) + (bias == nullptr ? 0.0F : bias[r]);
  }
}

void quantize(const float* x, int count, int most, std::int8_t* q, float* scales, std::int32_t* sums) {
  const auto limit = static_cast<float>(most);
  for (int b = 0; b < count / kQuantBlock; ++b, x += kQuantBlock, q += kQuantBlock) {
    float largest = 0, nothing = 0;
    for (int i = 0; i < kQuantBlock; ++i) largest = std::max(largest, std::abs(x[i])), nothing += 0 * x[i];
    const float inverse = largest > 0 ? limit / largest : 0.0F;
    scales[b] = largest / limit + nothing;
    sums[b] = 0;
    for (int i = 0; i < kQuantBlock; ++i) sums[b] += q[i] = static_cast<std::int8_t>(std::lrint(x[i] * inverse));
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

float softmax(std::span<float> scores, float scale) {
  const float highest = *std::max_element(scores.begin(), scores.end());
  float total = 0;
  for (float& score : scores) total += score = std::exp(scale * (score - highest));
  return 1.0F / total;
}

void mix(const ValueView& values, const MixWeights& w, int columns, float* out) {
  const auto width = static_cast<std::size_t>(columns), stride = static_cast<std::size_t>(values.stride);
  for (int t = 0; t < w.tokens; ++t, out += w.out_stride) {
    std::fill_n(out, width, 0.0F);
    const float* weights = w.weights + static_cast<std::ptrdiff_t>(t) * w.stride;
    for (std::size_t p = 0; p < static_cast<std::size_t>(w.seen + t); ++p)
      for (std::size_t c = 0; c < width; ++c)
        out[c] += values.quantized == nullptr ? weights[p] * values.values[p * stride + c]
                                              : weights[p] * values.scales[(p * stride + c) / kQuantBlock] *
                                                    static_cast<float>(values.quantized[p * stride + c]);
    for (std::size_t c = 0; c < width; ++c) out[c] *= w.factors[t];
  }
}

}  // namespace

extern const KernelSet kPlainKernels;
const KernelSet kPlainKernels{"plain", false, 1.0F, multiply, quantize, layer_norm, gelu, softmax, mix};

}  // namespace midinf

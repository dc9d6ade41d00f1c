// Every kernel set against the plain one on fresh random inputs, and the promise of kernels.h: batches and row cuts
// change no bit.
#include "kernels/kernels.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

#include "base/float16.h"

namespace midinf {
namespace {

using Floats = std::vector<float>;

Floats random_floats(std::mt19937& random, std::size_t n, float scale = 1) {
  std::normal_distribution<float> normal(0, scale);
  Floats values(n);
  for (float& value : values) value = normal(random);
  return values;
}

struct Matrix {
  std::vector<std::byte> bytes;
  MatrixView view;
};

// Random bytes that are valid weights of the type, scaled to magnitudes near 0.1.
Matrix random_matrix(std::mt19937& random, DType type, int rows, int columns) {
  Matrix matrix;
  matrix.bytes.resize(row_bytes(type, columns) * static_cast<std::size_t>(rows));
  const auto put16 = [&](std::size_t at, std::uint16_t bits) { std::memcpy(&matrix.bytes[at], &bits, 2); };
  const Floats values = random_floats(random, static_cast<std::size_t>(rows) * columns, 0.1F);
  switch (type) {
    case DType::kF32:
      std::memcpy(matrix.bytes.data(), values.data(), matrix.bytes.size());
      break;
    case DType::kF16:
      for (std::size_t i = 0; i < values.size(); ++i) put16(2 * i, f32_to_f16(values[i]));
      break;
    case DType::kBF16:
      for (std::size_t i = 0; i < values.size(); ++i)
        put16(2 * i, static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(values[i]) >> 16));
      break;
    case DType::kQ8_0:
      for (std::size_t block = 0; block < matrix.bytes.size(); block += kQ8BlockBytes) {
        put16(block, f32_to_f16(block % 7 == 0 ? 1e-6F : 0.02F * values[block / kQ8BlockBytes]));
        for (int i = 0; i < kQuantBlock; ++i)
          matrix.bytes[block + 2 + static_cast<std::size_t>(i)] = static_cast<std::byte>(random() % 255 - 127);
      }
      break;
    case DType::kQ4_0:
      for (std::size_t block = 0; block < matrix.bytes.size(); block += kQ4BlockBytes) {
        put16(block, f32_to_f16(block % 7 == 0 ? 1e-6F : 0.3F * values[block / kQ4BlockBytes]));
        for (std::size_t i = 2; i < kQ4BlockBytes; ++i) matrix.bytes[block + i] = static_cast<std::byte>(random());
      }
      break;
  }
  matrix.view = {type, matrix.bytes.data(), rows, columns};
  return matrix;
}

// The largest difference over the largest value, or over `least_size` where a few values may all come out near 0.
double relative_difference(const Floats& a, const Floats& b, double least_size = 1e-6) {
  double difference = 0, size = least_size;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = std::max<double>(difference, std::abs(a[i] - b[i]));
    size = std::max<double>(size, std::abs(b[i]));
  }
  return difference / size;
}

struct Packed {
  std::vector<std::byte> bytes;
  PanelMatrix view;
};

Packed packed(const Matrix& w, std::span<const int> rows, IndexRange columns) {
  Packed result;
  result.bytes.resize(PanelMatrix{w.view.type, nullptr, static_cast<int>(rows.size()), columns.size()}.bytes());
  result.view = pack(w.view, rows, columns, result.bytes.data());
  return result;
}
Packed packed(const Matrix& w) {
  std::vector<int> rows(static_cast<std::size_t>(w.view.rows));
  std::iota(rows.begin(), rows.end(), 0);
  return packed(w, rows, {0, w.view.columns});
}

// Activations as the kernel set takes them.
struct Input {
  Floats values;
  std::vector<std::int8_t> q;
  Floats scales;
  std::vector<std::int32_t> sums;
  ActivationView view;

  Input(const KernelSet& set, Floats x, int columns, int most = kMostActivation) : values(std::move(x)) {
    view.values = values.data();
    view.stride = columns;
    if (columns % kQuantBlock != 0) return;
    q.resize(values.size()), scales.resize(values.size() / kQuantBlock), sums.resize(scales.size());
    set.quantize(values.data(), static_cast<int>(values.size()), most, q.data(), scales.data(), sums.data());
    view.quantized = q.data(), view.scales = scales.data(), view.sums = sums.data();
  }
};

// The product in double precision, of the activations as they are quantised where the set does that.
double product(const KernelSet& set, const Matrix& w, const Input& x, int row, int token) {
  Floats weights(static_cast<std::size_t>(w.view.columns));
  read_row(w.view, row, weights);
  double sum = 0;
  for (std::size_t c = 0; c < weights.size(); ++c) {
    const std::size_t at = static_cast<std::size_t>(token) * weights.size() + c;
    const bool rounded = set.quantizes && is_quantized(w.view.type);
    sum += double{weights[c]} * (rounded ? double{x.scales[at / kQuantBlock]} * x.q[at] : double{x.values[at]});
  }
  return sum;
}

class Kernels : public testing::TestWithParam<const KernelSet*> {
 protected:
  const KernelSet& set() const { return *GetParam(); }
  const KernelSet& plain() const { return *available_kernels().back(); }
  const unsigned seed_ = std::random_device{}();
  std::mt19937 random_{seed_};
};

constexpr DType kTypes[] = {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0};
struct Shape {
  int rows, columns, tokens;
};
constexpr Shape kShapes[] = {{1, 32, 1},  {7, 64, 1},   {64, 512, 1}, {33, 2048, 1},
                             {13, 96, 2}, {40, 512, 3}, {9, 160, 101}};

TEST(Panels, HoldTheRowsAndColumnsAskedFor) {
  std::mt19937 random(1);
  for (const DType type : kTypes) {
    const Matrix w = random_matrix(random, type, 50, 128);
    std::vector<int> rows(45);
    for (int& row : rows) row = static_cast<int>(random() % 50);
    const Packed part = packed(w, rows, {32, 96});
    EXPECT_EQ(part.view.panels(), 2);
    Floats expected(128), got(64);
    for (int r = 0; r < 45; ++r) {
      read_row(w.view, rows[static_cast<std::size_t>(r)], expected);
      read_row(part.view, r, got);
      EXPECT_EQ(std::memcmp(got.data(), &expected[32], 64 * sizeof(float)), 0) << dtype_name(type) << r;
    }
  }
}

TEST_P(Kernels, MultiplyAgreesWithDoublePrecision) {
  for (const DType type : kTypes) {
    for (const Shape& shape : kShapes) {
      for (const int extra : {0, is_quantized(type) ? 0 : 5}) {
        const int columns = shape.columns + extra;
        const Matrix w = random_matrix(random_, type, shape.rows, columns);
        const Packed panels = packed(w);
        const int rows = panels.view.panels() * kPanelRows;
        const Input x(set(), random_floats(random_, static_cast<std::size_t>(shape.tokens) * columns), columns);
        const Floats bias = random_floats(random_, static_cast<std::size_t>(rows));
        Floats y(static_cast<std::size_t>(shape.tokens) * rows);
        set().multiply(panels.view, {0, panels.view.panels()}, bias.data(), x.view, shape.tokens, y.data(), rows);
        double largest = 0;
        for (int t = 0; t < shape.tokens; ++t)
          for (int r = 0; r < rows; ++r) {
            const double expected =
                bias[static_cast<std::size_t>(r)] + (r < shape.rows ? product(set(), w, x, r, t) : 0.0);
            largest = std::max(largest, std::abs(y[static_cast<std::size_t>(t * rows + r)] - expected));
          }
        // Float32 sums of up to 2,053 products: some 1e-6 of what such a sum comes to.
        EXPECT_LT(largest, 1e-5 * std::max(1.0, 0.1 * std::sqrt(columns)))
            << dtype_name(type) << " " << shape.rows << "x" << columns << " seed " << seed_;
      }
    }
  }
}

TEST_P(Kernels, MultiplySurvivesTheLargestWeightsAndActivations) {
  for (const DType type : {DType::kQ8_0, DType::kQ4_0}) {
    Matrix w = random_matrix(random_, type, 32, 64);
    const std::size_t block = row_bytes(type, kQuantBlock);
    for (std::size_t i = 0; i < w.bytes.size(); ++i) {
      const bool highest = i / block % 2 == 0;
      if (i % block >= 2)
        w.bytes[i] = static_cast<std::byte>(type == DType::kQ8_0 ? (highest ? 127 : -128) : (highest ? 255 : 0));
    }
    for (const float value : {3.0F, -3.0F}) {
      constexpr int kTokens = 16;  // as many as the largest tile of any set, and more
      const Input x(set(), Floats(std::size_t{kTokens} * 64, value), 64);
      const Packed panels = packed(w);
      for (const int tokens : {1, kTokens}) {
        Floats y(static_cast<std::size_t>(tokens) * 32);
        set().multiply(panels.view, {0, 1}, nullptr, x.view, tokens, y.data(), 32);
        for (int r = 0; r < 32; ++r) {
          const double expected = product(set(), w, x, r, 0);
          for (int t = 0; t < tokens; ++t)
            EXPECT_NEAR(y[static_cast<std::size_t>(t * 32 + r)], expected, 1e-5 * std::max(1.0, std::abs(expected)));
        }
      }
    }
  }
}

TEST_P(Kernels, MultiplyGivesTheSameBitsForAnyBatchAndAnyCut) {
  for (const DType type : kTypes) {
    constexpr int kColumns = 512, kTokens = 113, kPanels = 3, kRows = kPanels * kPanelRows;
    const Matrix w = random_matrix(random_, type, kRows - 5, kColumns);
    const Packed panels = packed(w);
    const Input x(set(), random_floats(random_, static_cast<std::size_t>(kTokens) * kColumns), kColumns);
    const Floats bias = random_floats(random_, kRows);
    Floats apart(kTokens * kRows);
    for (int t = 0; t < kTokens; ++t)
      for (const IndexRange cut : {IndexRange{0, 1}, IndexRange{1, kPanels}})
        set().multiply(panels.view, cut, bias.data(), x.view.token(t), 1,
                       &apart[static_cast<std::size_t>(t * kRows + cut.begin * kPanelRows)], kRows);
    for (const int tokens : {2, 3, 4, 5, 6, 7, 8, kTokens}) {
      Floats together(static_cast<std::size_t>(tokens) * kRows);
      set().multiply(panels.view, {0, kPanels}, bias.data(), x.view, tokens, together.data(), kRows);
      EXPECT_EQ(std::memcmp(together.data(), apart.data(), together.size() * sizeof(float)), 0)
          << dtype_name(type) << " " << tokens;
    }
  }
}

TEST_P(Kernels, QuantizeAgreesWithPlain) {
  Floats x = random_floats(random_, 32 * 100, 5);
  std::fill(x.begin(), x.begin() + 32, 0.0F);
  std::fill(x.begin() + 32, x.begin() + 64, -1e-30F);
  for (const int most : {kMostActivation, kMostCached}) {
    const Input got(set(), x, 32, most), expected(plain(), x, 32, most);
    EXPECT_EQ(got.q, expected.q) << "seed " << seed_;
    EXPECT_EQ(got.scales, expected.scales);
    EXPECT_EQ(got.sums, expected.sums);
    EXPECT_EQ(*std::max_element(got.q.begin() + 64, got.q.end()), most);
  }
}

TEST_P(Kernels, WhatIsNotFiniteIsNotLostByRounding) {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    for (const std::size_t at : {0U, 17U, 31U}) {
      Floats x = random_floats(random_, 32);
      x[at] = bad;
      std::array<std::int8_t, 32> q;
      float scale = 0;
      std::int32_t sum = 0;
      set().quantize(x.data(), 32, kMostActivation, q.data(), &scale, &sum);
      EXPECT_FALSE(std::isfinite(scale)) << bad << " at " << at;
      EXPECT_LE(std::abs(sum), 32 * 128) << "products with it must not overflow";
    }
  }
}

TEST_P(Kernels, LayerNormAgreesWithPlain) {
  for (const std::size_t width : {32U, 512U, 771U}) {
    const Floats x = random_floats(random_, width, 3), weight = random_floats(random_, width),
                 bias = random_floats(random_, width);
    Floats y(width), expected(width);
    set().layer_norm(x, weight, bias, 1e-5F, y);
    plain().layer_norm(x, weight, bias, 1e-5F, expected);
    EXPECT_LT(relative_difference(y, expected), 1e-5) << width << " seed " << seed_;
  }
}

TEST_P(Kernels, GeluAgreesWithDoublePrecision) {
  Floats x = random_floats(random_, 4099, 4);
  x.insert(x.end(), {0.0F, -0.0F, 1e-30F, -100.0F, 100.0F, 1e4F, -1e4F});
  Floats y = x;
  set().gelu(y);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double v = x[i];
    const double expected = 0.5 * v * (1 + std::tanh(std::sqrt(2 / 3.14159265358979) * (v + 0.044715 * v * v * v)));
    EXPECT_NEAR(y[i], expected, 1e-6 * std::max(1.0, std::abs(v))) << v;
  }
}

TEST_P(Kernels, SoftmaxAgreesWithDoublePrecision) {
  for (const std::size_t n : {1U, 2U, 9U, 500U, 1024U}) {
    Floats scores = random_floats(random_, n, 20);
    const Floats before = scores;
    const double highest = *std::max_element(before.begin(), before.end());
    double total = 0;
    for (const float score : before) total += std::exp(0.125 * (score - highest));
    const float inverse = set().softmax(scores, 0.125F);
    EXPECT_NEAR(inverse * total, 1, 1e-5) << n << " seed " << seed_;
    for (std::size_t i = 0; i < n; ++i)
      EXPECT_NEAR(scores[i], std::exp(0.125 * (before[i] - highest)), 1e-6) << n << " seed " << seed_;
  }
  Floats huge{100.0F * 64 * 100, -100.0F * 64 * 100};
  EXPECT_FLOAT_EQ(set().softmax(huge, 1), 1.0F);
}

// Tokens behind each other, of which the first sees `seen` positions.
Floats mixed(const KernelSet& set, const ValueView& values, std::span<const float> weights, int seen, int tokens,
             std::span<const float> factors, int columns) {
  const int stride = static_cast<int>(weights.size()) / tokens;
  Floats out(static_cast<std::size_t>(tokens * columns));
  set.mix(values, {weights.data(), stride, seen, tokens, factors.data(), columns}, columns, out.data());
  return out;
}

TEST_P(Kernels, MixingForSeveralTokensIsMixingForEach) {
  const Floats factors = random_floats(random_, 7);
  for (const int columns : {20, 32, 64, 96}) {
    for (const int seen : {1, 3, 130}) {
      const int positions = seen + 6, stride = (columns + kQuantBlock - 1) / kQuantBlock * kQuantBlock;
      const Floats weights = random_floats(random_, static_cast<std::size_t>(7 * positions));
      const Input values(set(), random_floats(random_, static_cast<std::size_t>(positions) * stride), stride,
                         kMostCached);
      for (const bool quantized : {false, true}) {
        if (quantized && columns % kQuantBlock != 0) continue;
        const ValueView view{values.values.data(), quantized ? values.q.data() : nullptr, values.scales.data(), stride};
        for (int tokens = 1; tokens <= 7; ++tokens) {
          const auto some = std::span(weights).first(static_cast<std::size_t>(tokens * positions));
          const Floats together = mixed(set(), view, some, seen, tokens, factors, columns);
          for (int t = 0; t < tokens; ++t) {
            const auto its = some.subspan(static_cast<std::size_t>(t * positions), static_cast<std::size_t>(positions));
            const Floats alone =
                mixed(set(), view, its, seen + t, 1, std::span(factors).subspan(static_cast<std::size_t>(t)), columns);
            EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + t * columns))
                << columns << " columns, token " << t << " of " << tokens << ", seed " << seed_;
          }
        }
      }
    }
  }
}

TEST_P(Kernels, MixAgreesWithPlain) {
  const Floats half{0.5F};
  for (const int columns : {16, 20, 32, 64, 80, 96}) {
    for (const int positions : {1, 2, 9, 500}) {
      const int stride = (columns + kQuantBlock - 1) / kQuantBlock * kQuantBlock;
      const Floats weights = random_floats(random_, static_cast<std::size_t>(positions));
      const Input values(set(), random_floats(random_, static_cast<std::size_t>(positions) * stride), stride,
                         kMostCached);
      for (const bool quantized : {false, true}) {
        if (quantized && columns % kQuantBlock != 0) continue;
        const ValueView view{values.values.data(), quantized ? values.q.data() : nullptr, values.scales.data(), stride};
        const Floats out = mixed(set(), view, weights, positions, 1, half, columns),
                     expected = mixed(plain(), view, weights, positions, 1, half, columns);
        EXPECT_LT(relative_difference(out, expected, std::sqrt(positions)), 1e-5)
            << columns << " " << positions << " seed " << seed_;
      }
    }
  }
}

// A digest of what a set computes from fixed inputs: products, norms, activations and attention, as they run in a pass.
std::uint64_t digest_of_all_kernels(const KernelSet& set) {
  std::uint64_t digest = 14695981039346656037U;
  std::uint32_t state = 1;  // not <random>, whose distributions are each library's own
  const auto number = [&](float scale) {
    state = state * 1664525U + 1013904223U;
    return scale * (static_cast<float>(state >> 8) / 8388608.0F - 1.0F);
  };
  const auto floats = [&](std::size_t n, float scale) {
    Floats values(n);
    for (float& value : values) value = number(scale);
    return values;
  };
  const auto take = [&](std::span<const float> values) {
    for (const float value : values) digest = (digest ^ std::bit_cast<std::uint32_t>(value)) * 1099511628211U;
  };
  for (const DType type : kTypes) {
    constexpr int kColumns = 160, kTokens = 7, kRows = 2 * kPanelRows;
    Matrix w;
    w.bytes.resize(row_bytes(type, kColumns) * kRows);
    w.view = {type, w.bytes.data(), kRows, kColumns};
    const std::size_t unit = is_quantized(type) ? row_bytes(type, kQuantBlock) : row_bytes(type, 1);
    for (std::size_t at = 0; at < w.bytes.size(); at += unit) {
      const float value = number(0.1F);
      const std::uint16_t half = f32_to_f16(value);
      const auto bits = std::bit_cast<std::uint32_t>(value);
      if (type == DType::kF32) {
        std::memcpy(&w.bytes[at], &bits, 4);
      } else if (type == DType::kBF16) {
        const auto upper = static_cast<std::uint16_t>(bits >> 16);
        std::memcpy(&w.bytes[at], &upper, 2);
      } else {
        std::memcpy(&w.bytes[at], &half, 2);
        for (std::size_t i = 2; i < unit; ++i)
          w.bytes[at + i] = static_cast<std::byte>(static_cast<int>(number(127.9F)) + (type == DType::kQ4_0 ? 128 : 0));
      }
    }
    const Packed panels = packed(w);
    const Input x(set, floats(std::size_t{kTokens} * kColumns, 3), kColumns);
    Floats y(std::size_t{kTokens} * kRows);
    const Floats bias = floats(kRows, 1);
    set.multiply(panels.view, {0, 2}, bias.data(), x.view, kTokens, y.data(), kRows);
    take(y);
    set.gelu(y);
    take(y);
  }
  for (const std::size_t width : {96U, 512U, 771U}) {
    const Floats x = floats(width, 3), weight = floats(width, 1), bias = floats(width, 1);
    Floats y(width);
    set.layer_norm(x, weight, bias, 1e-5F, y);
    take(y);
  }
  for (const std::size_t n : {1U, 15U, 16U, 17U, 30U, 700U}) {
    Floats scores = floats(n, 20);
    const float inverse = set.softmax(scores, 0.125F);
    take(scores), take({&inverse, 1});
    const Input values(set, floats(n * 64, 1), 64, kMostCached);
    for (const bool quantized : {false, true})
      take(mixed(set, {values.values.data(), quantized ? values.q.data() : nullptr, values.scales.data(), 64}, scores,
                 static_cast<int>(n), 1, {&inverse, 1}, 64));
  }
  return digest;
}

// Two numbers for all machines: one of the sets with a fused multiply-add, one of those that round twice. "plain" is
// float32 throughout and takes its exponentials from the system.
TEST(KernelSets, GiveTheSameBitsOnEveryMachine) {
  for (const KernelSet* set : available_kernels()) {
    if (set->name == "plain") continue;
    const bool rounds_twice = set->name == "sse41" || set->name == "wasm_simd128";
    EXPECT_EQ(digest_of_all_kernels(*set), rounds_twice ? 10710102552062808064U : 11082717992700284454U) << set->name;
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, Kernels, testing::ValuesIn(available_kernels().begin(), available_kernels().end()),
                         [](const auto& set) { return std::string(set.param->name); });

TEST(SelectKernels, NamesWhatThereIs) {
  EXPECT_EQ((*select_kernels("plain"))->name, "plain");
  const auto unknown = select_kernels("sparc");
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().to_string().find("plain"), std::string::npos);
}

}  // namespace
}  // namespace midinf

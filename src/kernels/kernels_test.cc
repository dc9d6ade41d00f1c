// Every kernel set against the plain one on fresh random inputs, and the promise of kernels.h: batches and row cuts
// change no bit.
#include "kernels/kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
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
        put16(block, f32_to_f16(0.002F * std::abs(values[block / kQ8BlockBytes] * 10)));
        for (int i = 0; i < kQ8Block; ++i)
          matrix.bytes[block + 2 + static_cast<std::size_t>(i)] = static_cast<std::byte>(random() % 255 - 127);
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

class Kernels : public testing::TestWithParam<const KernelSet*> {
 protected:
  const KernelSet& set() const { return *GetParam(); }
  const KernelSet& plain() const { return *available_kernels().back(); }
  const unsigned seed_ = std::random_device{}();
  std::mt19937 random_{seed_};
};

struct Shape {
  int rows, columns, tokens;
};
constexpr Shape kShapes[] = {{1, 32, 1},  {7, 64, 1},   {64, 512, 1}, {33, 2048, 1},
                             {13, 96, 2}, {40, 512, 3}, {9, 160, 101}};

TEST_P(Kernels, MultiplyAgreesWithPlain) {
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0}) {
    for (const Shape& shape : kShapes) {
      for (const int extra : {0, type == DType::kQ8_0 ? 0 : 5}) {
        const int columns = shape.columns + extra;
        const Matrix w = random_matrix(random_, type, shape.rows, columns);
        const Floats x = random_floats(random_, static_cast<std::size_t>(shape.tokens) * columns);
        const Floats bias = random_floats(random_, static_cast<std::size_t>(shape.rows));
        Floats y(static_cast<std::size_t>(shape.tokens) * shape.rows), expected = y;
        set().multiply(w.view, {0, shape.rows}, bias, x, shape.tokens, y.data(), shape.rows);
        plain().multiply(w.view, {0, shape.rows}, bias, x, shape.tokens, expected.data(), shape.rows);
        // Sums of up to 2,053 products in another order: some 1e-6 of what such a sum comes to, 0.1 sqrt(columns).
        // Where activations are rounded to 16 bits, to 2^-16 of the largest of 32: some 2e-5.
        const bool rounds = type == DType::kQ8_0 && set().name.starts_with("wasm");
        EXPECT_LT(relative_difference(y, expected, 0.1 * std::sqrt(columns)), rounds ? 1e-4 : 1e-5)
            << dtype_name(type) << " " << shape.rows << "x" << columns << " seed " << seed_;
      }
    }
  }
}

TEST_P(Kernels, MultiplyGivesTheSameBitsForAnyBatchAndAnyCut) {
  for (const DType type : {DType::kF32, DType::kF16, DType::kQ8_0}) {
    constexpr int kRows = 37, kColumns = 512, kTokens = 113;
    const Matrix w = random_matrix(random_, type, kRows, kColumns);
    const Floats x = random_floats(random_, static_cast<std::size_t>(kTokens) * kColumns);
    const Floats bias = random_floats(random_, kRows);
    Floats together(kTokens * kRows), apart = together;
    set().multiply(w.view, {0, kRows}, bias, x, kTokens, together.data(), kRows);
    for (int t = 0; t < kTokens; ++t)
      for (const RowBlock cut : {RowBlock{0, 11}, RowBlock{11, 12}, RowBlock{12, kRows}})
        set().multiply(w.view, cut, bias, std::span(x).subspan(static_cast<std::size_t>(t) * kColumns, kColumns), 1,
                       &apart[static_cast<std::size_t>(t * kRows + cut.begin)], kRows);
    EXPECT_EQ(std::memcmp(together.data(), apart.data(), together.size() * sizeof(float)), 0) << dtype_name(type);
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

TEST_P(Kernels, AttendAgreesWithPlain) {
  for (const int head_width : {16, 20, 64, 80}) {
    for (const int positions : {1, 2, 9, 500, 1024}) {
      const auto n = static_cast<std::size_t>(head_width) * positions;
      const Floats q = random_floats(random_, static_cast<std::size_t>(head_width)), keys = random_floats(random_, n),
                   values = random_floats(random_, n);
      Floats scores(static_cast<std::size_t>(positions)), out(q.size()), expected(q.size());
      set().attend(q, keys, values, scores, out);
      plain().attend(q, keys, values, scores, expected);
      // Values of a mean over many positions: of the size 1 / sqrt(positions).
      EXPECT_LT(relative_difference(out, expected, 1 / std::sqrt(positions)), 1e-5)
          << head_width << " " << positions << " seed " << seed_;
    }
  }
}

TEST_P(Kernels, AttendSurvivesHugeScores) {
  const Floats q(64, 100.0F);
  Floats keys(128, 1.0F), values(128, 1.0F);
  std::fill(keys.begin() + 64, keys.end(), -1.0F);
  std::fill(values.begin() + 64, values.end(), 5.0F);
  Floats scores(2), out(64);
  set().attend(q, keys, values, scores, out);
  for (const float value : out) EXPECT_FLOAT_EQ(value, 1.0F);
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

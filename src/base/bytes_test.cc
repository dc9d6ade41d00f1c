#include "base/bytes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

namespace midinf {
namespace {

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

TEST(ByteCursor, ReadsNumbersInBothByteOrders) {
  const auto bytes = bytes_of({0x12, 0x34, 0x56, 0x78, 0x12, 0x34, 0x56, 0x78});
  ByteCursor cursor(bytes);
  EXPECT_EQ(cursor.big_endian<std::uint32_t>(), 0x12345678u);
  EXPECT_EQ(cursor.little_endian<std::uint32_t>(), 0x78563412u);
  EXPECT_TRUE(cursor.at_end());
}

TEST(ByteCursor, ReadsNegativeAndFloatingNumbers) {
  const auto bytes = bytes_of({0xff, 0xfe, 0x00, 0x00, 0xc0, 0x3f, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0});
  ByteCursor cursor(bytes);
  EXPECT_EQ(cursor.big_endian<std::int16_t>(), -2);
  EXPECT_EQ(cursor.little_endian<float>(), 1.5f);
  EXPECT_EQ(cursor.big_endian<double>(), 1.5);
}

TEST(ByteCursor, ReadsSingleBytesAndText) {
  const auto bytes = bytes_of({0x80, 'M', 'T', 'h', 'd'});
  ByteCursor cursor(bytes);
  EXPECT_EQ(cursor.u8(), 0x80);
  EXPECT_EQ(cursor.take_text(4), "MThd");
  EXPECT_EQ(cursor.u8(), std::nullopt);
}

TEST(ByteCursor, DoesNotMoveWhenTooLittleIsLeft) {
  const auto bytes = bytes_of({1, 2, 3});
  ByteCursor cursor(bytes);
  EXPECT_EQ(cursor.big_endian<std::uint32_t>(), std::nullopt);
  EXPECT_FALSE(cursor.take(4).has_value());
  EXPECT_FALSE(cursor.take_text(4).has_value());
  EXPECT_EQ(cursor.position(), 0u);
  EXPECT_EQ(cursor.big_endian<std::uint16_t>(), 0x0102);
  EXPECT_EQ(cursor.remaining(), 1u);
}

TEST(ByteCursor, RefusesCountsThatWouldOverflowThePosition) {
  const auto bytes = bytes_of({1, 2, 3});
  ByteCursor cursor(bytes);
  ASSERT_TRUE(cursor.seek(2));
  for (const std::uint64_t count : {std::numeric_limits<std::uint64_t>::max(),
                                    std::numeric_limits<std::uint64_t>::max() - 1, std::uint64_t{1} << 63})
    EXPECT_FALSE(cursor.take(count).has_value()) << count;
  EXPECT_EQ(cursor.position(), 2u);
}

TEST(ByteCursor, TakesNothingAtTheEndButNoMore) {
  ByteCursor cursor(std::span<const std::byte>{});
  EXPECT_TRUE(cursor.at_end());
  ASSERT_TRUE(cursor.take(0).has_value());
  EXPECT_TRUE(cursor.take(0)->empty());
  EXPECT_FALSE(cursor.take(1).has_value());
  EXPECT_EQ(cursor.u8(), std::nullopt);
}

TEST(ByteCursor, SeeksToTheEndButNotBeyond) {
  const auto bytes = bytes_of({1, 2, 3});
  ByteCursor cursor(bytes);
  EXPECT_TRUE(cursor.seek(3));
  EXPECT_TRUE(cursor.at_end());
  EXPECT_FALSE(cursor.seek(4));
  EXPECT_EQ(cursor.position(), 3u);
  EXPECT_TRUE(cursor.seek(0));
  EXPECT_EQ(cursor.remaining(), 3u);
}

TEST(ByteCursor, TakesAViewOfTheSameBytes) {
  const auto bytes = bytes_of({1, 2, 3});
  ByteCursor cursor(bytes);
  const auto taken = cursor.take(3);
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->data(), bytes.data());
}

}  // namespace
}  // namespace midinf

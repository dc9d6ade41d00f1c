#include "model/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "model/test_files.h"

namespace midinf {
namespace {

using testing::HasSubstr;

std::string error_of(const Bytes& bytes) {
  const auto result = parse_gguf(bytes);
  return result ? "accepted" : result.error().to_string();
}

ByteBuilder header(std::uint64_t tensors, std::uint64_t keys, std::uint32_t version = 3) {
  return ByteBuilder().text("GGUF").u32(version).u64(tensors).u64(keys);
}

ByteBuilder& add_tensor(ByteBuilder& out, std::string_view name, const std::vector<std::uint64_t>& dimensions,
                        std::uint32_t type, std::uint64_t offset) {
  out.long_text(name).u32(dimensions.size());
  for (const std::uint64_t size : dimensions) out.u64(size);
  return out.u32(type).u64(offset);
}

// A file of the given tensors over `data_bytes` of zeros.
Bytes file_of(
    const std::vector<std::tuple<std::string, std::vector<std::uint64_t>, std::uint32_t, std::uint64_t>>& tensors,
    std::size_t data_bytes) {
  ByteBuilder out = header(tensors.size(), 0);
  for (const auto& [name, dimensions, type, offset] : tensors) add_tensor(out, name, dimensions, type, offset);
  return out.align(32).raw(Bytes(data_bytes)).bytes();
}

const GgufMetadata kEveryType = {{"a", std::uint8_t{200}},
                                 {"b", std::int8_t{-100}},
                                 {"c", std::uint16_t{60000}},
                                 {"d", std::int16_t{-30000}},
                                 {"e", std::uint32_t{4000000000}},
                                 {"f", std::int32_t{-2000000000}},
                                 {"g", 1.5F},
                                 {"h", true},
                                 {"i", std::string("text with \"quotes\" and \0 zero", 29)},
                                 {"k", std::uint64_t{1} << 63},
                                 {"l", std::numeric_limits<std::int64_t>::min()},
                                 {"m", 0.1}};

Bytes small_file() {
  const std::vector<GgufTensor> tensors = {
      {"one", DType::kF32, {3}, {}}, {"two", DType::kQ8_0, {32, 2}, {}}, {"three", DType::kF16, {5, 1}, {}}};
  const std::vector<std::size_t> sizes = {12, 68, 10};
  MemoryWriter out;
  const auto done = write_gguf(out, kEveryType, tensors, [&](std::size_t i) -> Result<Bytes> {
    return Bytes(sizes[i], static_cast<std::byte>(i + 1));
  });
  EXPECT_TRUE(done);
  return out.bytes;
}

TEST(Gguf, ReadsWhatItWrites) {
  const Bytes bytes = small_file();
  const auto gguf = parse_gguf(bytes);
  ASSERT_TRUE(gguf) << gguf.error().to_string();
  EXPECT_EQ(gguf->metadata, kEveryType);
  ASSERT_EQ(gguf->tensors.size(), 3U);
  const GgufTensor& two = gguf->tensors[1];
  EXPECT_EQ(two.name, "two");
  EXPECT_EQ(two.dtype, DType::kQ8_0);
  EXPECT_THAT(two.dimensions, testing::ElementsAre(32, 2));
  ASSERT_EQ(two.bytes.size(), 68U);
  EXPECT_THAT(two.bytes, testing::Each(std::byte{2}));
  for (const GgufTensor& tensor : gguf->tensors) EXPECT_EQ((tensor.bytes.data() - bytes.data()) % 32, 0);
  EXPECT_EQ(bytes.size() % 32, 0U);
  EXPECT_EQ(small_file(), bytes) << "the same input gives the same bytes";
}

TEST(Gguf, StopsWritingAtTheFirstError) {
  MemoryWriter out;
  const std::vector<GgufTensor> tensors = {{"one", DType::kF32, {3}, {}}};
  const auto done =
      write_gguf(out, {}, tensors, [](std::size_t) -> Result<Bytes> { return fail(ErrorCode::kIo, "no"); });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "no");
}

TEST(Gguf, RefusesEveryTruncation) {
  Bytes whole = small_file();
  whole.resize(whole.size() - 22);  // the padding after the last tensor: nobody reads it
  ASSERT_TRUE(parse_gguf(whole));
  for_each_truncation(whole, [](const Bytes& cut) { EXPECT_FALSE(parse_gguf(cut)) << cut.size(); });
}

TEST(Gguf, SurvivesAnyChange) {
  const Bytes whole = small_file();
  for_each_mutation(whole, whole.size(), 20000, [](const Bytes& changed) {
    const auto gguf = parse_gguf(changed);
    if (!gguf) return;
    for (const GgufTensor& tensor : gguf->tensors) EXPECT_LE(tensor.bytes.size(), changed.size());
  });
}

TEST(Gguf, RefusesCountsBeyondTheFile) {
  EXPECT_THAT(error_of(header(1ULL << 60, 0).bytes()), HasSubstr("1152921504606846976 tensors do not fit"));
  EXPECT_THAT(error_of(header(0, 1ULL << 60).bytes()), HasSubstr("1152921504606846976 keys do not fit"));
  EXPECT_THAT(error_of(header(0, 1).u64(1ULL << 60).text(std::string(40, 'x')).bytes()),
              HasSubstr("the limit is 65535"));
  EXPECT_THAT(error_of(header(0, 1).long_text("key").u32(8).u64(1ULL << 60).bytes()), HasSubstr("key 'key': byte"));
  // An array of 2^60 strings, and of 2^61 numbers of 8 bytes, which is 0 bytes in 64 bits.
  EXPECT_THAT(error_of(header(0, 1).long_text("key").u32(9).u32(8).u64(1ULL << 60).bytes()),
              HasSubstr("ends within an array"));
  EXPECT_THAT(error_of(header(0, 1).long_text("key").u32(9).u32(10).u64(1ULL << 61).bytes()),
              HasSubstr("ends within an array"));
  EXPECT_THAT(error_of(file_of({{"t", {1ULL << 60}, 0, 0}}, 64)), HasSubstr("does not fit"));
  EXPECT_THAT(error_of(file_of({{"t", {1ULL << 32, 1ULL << 32}, 0, 0}}, 64)), HasSubstr("does not fit"));
  EXPECT_THAT(error_of(file_of({{"t", {4}, 0, 1ULL << 60}}, 64)), HasSubstr("pass the end"));
  EXPECT_THAT(error_of(file_of({{"t", {4}, 0, ~0ULL - 31}}, 64)), HasSubstr("pass the end"));
}

TEST(Gguf, RefusesWhatBreaksTheFormat) {
  EXPECT_THAT(error_of({}), HasSubstr("not a GGUF file"));
  EXPECT_THAT(error_of(header(0, 0, 2).bytes()), HasSubstr("GGUF version 2"));
  EXPECT_THAT(error_of(header(0, 0, 0x03000000).bytes()), HasSubstr("big-endian"));
  EXPECT_THAT(error_of(header(0, 1).long_text("key").u32(13).u64(0).bytes()), HasSubstr("key 'key': unknown type 13"));
  EXPECT_THAT(error_of(header(0, 1).long_text("key").u32(7).u8(2).u64(0).bytes()),
              HasSubstr("2 is neither true nor false"));
  ByteBuilder twice = header(0, 2);
  for (int i = 0; i < 2; ++i) twice.long_text("key").u32(4).u32(1);
  EXPECT_THAT(error_of(twice.bytes()), HasSubstr("key 'key': the key stands twice"));
  for (const std::uint32_t alignment : {0U, 4U, 33U})
    EXPECT_THAT(error_of(header(0, 1).long_text("general.alignment").u32(4).u32(alignment).bytes()),
                HasSubstr("power of two"));
  EXPECT_THAT(error_of(file_of({{"t", {}, 0, 0}}, 64)), HasSubstr("tensor 't': 0 dimensions"));
  EXPECT_THAT(error_of(file_of({{"t", {1, 1, 1, 1, 1}, 0, 0}}, 64)), HasSubstr("5 dimensions"));
  EXPECT_THAT(error_of(file_of({{"t", {4, 0}, 0, 0}}, 64)), HasSubstr("a dimension of 0"));
  EXPECT_THAT(error_of(file_of({{"t", {4}, 0, 0}, {"t", {4}, 0, 32}}, 64)),
              HasSubstr("tensor 't': the tensor stands twice"));
  EXPECT_THAT(error_of(file_of({{"t", {4}, 0, 8}}, 64)), HasSubstr("offset 8 is no multiple of the alignment 32"));
  EXPECT_THAT(error_of(file_of({{"t", {9}, 0, 0}, {"u", {4}, 0, 32}}, 64)),
              HasSubstr("tensor 'u': its bytes overlap those of tensor 't'"));
  EXPECT_THAT(error_of(file_of({{"t", {33}, 8, 0}}, 64)), HasSubstr("rows of 33 numbers cannot be q8_0"));
  EXPECT_THAT(error_of(file_of({{std::string(65, 'n'), {4}, 0, 0}}, 64)), HasSubstr("the limit is 64"));
}

TEST(Gguf, NamesTheTensorAndTypeThatItCannotRead) {
  EXPECT_THAT(error_of(file_of({{"blk.0.ffn_up.weight", {256}, 12, 0}}, 256)),
              HasSubstr("tensor 'blk.0.ffn_up.weight': element type Q4_K"));
  EXPECT_THAT(error_of(file_of({{"t", {256}, 4000000000, 0}}, 256)), HasSubstr("number 4000000000"));
}

TEST(Gguf, HonoursTheAlignmentOfTheFile) {
  ByteBuilder out = header(1, 1).long_text("general.alignment").u32(4).u32(256);
  add_tensor(out, "t", {4}, 0, 256);
  const Bytes bytes = out.align(256).raw(Bytes(256)).text("0123456789abcdef").bytes();
  const auto gguf = parse_gguf(bytes);
  ASSERT_TRUE(gguf) << gguf.error().to_string();
  EXPECT_EQ(gguf->tensors[0].bytes[1], std::byte{'1'});
}

TEST(Gguf, KeepsOnlyTheSizeOfArrays) {
  ByteBuilder out = header(0, 2).long_text("words").u32(9).u32(8).u64(2).long_text("one").long_text("two");
  out.long_text("nested").u32(9).u32(9).u64(1).u32(4).u64(3).u32(1).u32(2).u32(3);
  const auto gguf = parse_gguf(out.bytes());
  ASSERT_TRUE(gguf) << gguf.error().to_string();
  EXPECT_EQ(gguf->metadata[0].second, GgufValue(GgufArray{8, 2}));
  EXPECT_EQ(gguf->metadata[1].second, GgufValue(GgufArray{9, 1}));
  ByteBuilder deep = header(0, 1).long_text("deep").u32(9);
  for (int i = 0; i < 100000; ++i) deep.u32(9).u64(1);
  EXPECT_THAT(error_of(deep.bytes()), HasSubstr("nested too deeply"));
}

}  // namespace
}  // namespace midinf

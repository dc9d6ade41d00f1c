// Archives and pickles: what torch.save writes is read, everything else is refused by name and nothing is ever run.
#include "model/pytorch_bin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/pickle.h"
#include "model/stored_zip.h"
#include "model/test_files.h"

namespace midinf {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string zip_error(const Bytes& archive) {
  const auto result = parse_stored_zip(archive);
  return result ? "accepted" : result.error().to_string();
}

std::string pickle_error(const Bytes& pickle) {
  const auto result = parse_pickled_tensors(pickle);
  return result ? "accepted" : result.error().to_string();
}

Bytes some_bytes(std::size_t count) {
  return Bytes(count, std::byte{7});
}

// Overwrites the `index`-th place where `signature` stands, `at` bytes after it.
Bytes patched(Bytes file, std::uint32_t signature, std::size_t at, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i + 4 <= file.size(); ++i) {
    std::uint32_t found = 0;
    std::memcpy(&found, file.data() + i, 4);
    if (found != signature) continue;
    std::memcpy(file.data() + i + at, &value, size);
    return file;
  }
  ADD_FAILURE() << "no such record";
  return file;
}
constexpr std::uint32_t kLocal = 0x04034b50, kDirectory = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50;

TEST(StoredZip, FindsFilesInBothWidths) {
  for (const bool wide : {false, true}) {
    const Bytes archive = zip_file({{"a", some_bytes(5)}, {"folder/b", {}}, {"c", some_bytes(1)}}, wide);
    EXPECT_TRUE(looks_like_zip(archive));
    const auto entries = parse_stored_zip(archive);
    ASSERT_TRUE(entries) << entries.error().to_string();
    ASSERT_EQ(entries->size(), 3U);
    EXPECT_EQ((*entries)[0].name, "a");
    EXPECT_EQ((*entries)[0].bytes.size(), 5U);
    EXPECT_EQ((*entries)[0].bytes[4], std::byte{7});
    EXPECT_EQ((*entries)[1].name, "folder/b");
  }
}

TEST(StoredZip, RefusesEveryTruncationAndSurvivesAnyChange) {
  for (const bool wide : {false, true}) {
    const Bytes archive = zip_file({{"a", some_bytes(5)}, {"b", some_bytes(40)}}, wide);
    for_each_truncation(archive, [](const Bytes& cut) { EXPECT_FALSE(parse_stored_zip(cut)) << cut.size(); });
    for_each_mutation(archive, archive.size(), 20000, [](const Bytes& changed) {
      const auto entries = parse_stored_zip(changed);
      if (!entries) return;
      for (const ZipEntry& entry : *entries) EXPECT_LE(entry.bytes.size(), changed.size());
    });
  }
}

TEST(StoredZip, RefusesSizesThatLie) {
  const Bytes narrow = zip_file({{"a", some_bytes(5)}, {"b", some_bytes(40)}});
  const Bytes wide = zip_file({{"a", some_bytes(5)}, {"b", some_bytes(40)}}, true);
  ASSERT_TRUE(parse_stored_zip(narrow));
  const auto lying_size = patched(patched(narrow, kDirectory, 20, 500, 4), kDirectory, 24, 500, 4);
  EXPECT_THAT(zip_error(lying_size), HasSubstr("a: its 500 bytes do not fit"));
  EXPECT_THAT(zip_error(patched(narrow, kDirectory, 20, 4, 4)), HasSubstr("as 4 bytes for 5"));
  EXPECT_THAT(zip_error(patched(narrow, kDirectory, 42, 1, 4)), HasSubstr("does not stand where the directory says"));
  EXPECT_THAT(zip_error(patched(narrow, kDirectory, 42, 0xFFFFFFF0, 4)), HasSubstr("does not stand where"));
  EXPECT_THAT(zip_error(patched(narrow, kEnd, 10, 3, 2)), HasSubstr("cannot hold 3 entries"));
  EXPECT_THAT(zip_error(patched(narrow, kEnd, 16, 4000, 4)), HasSubstr("lies outside the file"));
  EXPECT_THAT(zip_error(patched(narrow, kDirectory, 0, 0, 4)), HasSubstr("directory is damaged"));
  EXPECT_THAT(zip_error(patched(wide, kEnd64, 32, 1ULL << 60, 8)),
              HasSubstr("cannot hold 1152921504606846976 entries"));
  EXPECT_THAT(zip_error(patched(wide, kEnd64, 48, 1ULL << 60, 8)), HasSubstr("lies outside the file"));
  EXPECT_THAT(zip_error(patched(wide, kEnd64, 0, 0, 4)), HasSubstr("64-bit end record is not where"));
  // Entry b's 64-bit record: two fields that must agree, then the offset.
  Bytes lying = patched(patched(wide, kDirectory, 46 + 1 + 4, 1ULL << 60, 8), kDirectory, 46 + 1 + 12, 1ULL << 60, 8);
  EXPECT_THAT(zip_error(lying), HasSubstr("1152921504606846976 bytes do not fit"));
}

TEST(StoredZip, RefusesWhatItDoesNotDo) {
  EXPECT_THAT(zip_error(zip_file({{"a", some_bytes(5)}}, false, 8)), HasSubstr("a: the entry is compressed"));
  EXPECT_THAT(zip_error(patched(zip_file({{"a", {}}}), kDirectory, 8, 1, 2)), HasSubstr("a: the entry is encrypted"));
  EXPECT_THAT(zip_error(zip_file({{"a", some_bytes(5)}, {"a", {}}})), HasSubstr("a: the entry stands twice"));
  EXPECT_THAT(zip_error(patched(zip_file({{"a", {}}}), kLocal, 30, 'x', 1)), HasSubstr("does not stand where"));
  EXPECT_THAT(zip_error(patched(zip_file({{"a", {}}}), kEnd, 4, 1, 2)), HasSubstr("in several parts"));
  // An entry within another: the second's header stands in the first's contents.
  const Bytes inner = zip_file({{"b", some_bytes(9)}});
  Bytes outer = zip_file({{"a", inner}, {"b", some_bytes(9)}});
  std::size_t at = 0;
  std::vector<std::size_t> records;
  for (; at + 4 <= outer.size(); ++at) {
    std::uint32_t found = 0;
    std::memcpy(&found, outer.data() + at, 4);
    if (found == kDirectory) records.push_back(at);
  }
  const std::uint32_t within = 30 + 1;
  std::memcpy(outer.data() + records.back() + 42, &within, 4);
  EXPECT_THAT(zip_error(outer), HasSubstr("b: its bytes overlap those of 'a'"));
}

TEST(Pickle, ReadsAStateDictOfEveryShape) {
  PickleBuilder pickle;
  pickle.global("collections", "OrderedDict").op(')').op('R').op('(');
  pickle.text("matrix").tensor("0", 10, 4, {2, 3}, {1, 2});
  pickle.text("scalar").tensor("1", 1, 0, {}, {});
  // A parameter wraps its tensor.
  pickle.text("parameter").global("torch._utils", "_rebuild_parameter").op('(').tensor("2", 4, 0, {4}, {1});
  pickle.op(0x88).global("collections", "OrderedDict").op(')').op('R').op('t').op('R').op('u');
  // _metadata, as torch writes it: attributes of the dict.
  pickle.op('}').text("_metadata").op('}').text("").op('}').text("version").integer(1).op('s').op('s').op('s').op('b');
  const auto tensors = parse_pickled_tensors(pickle.stop());
  ASSERT_TRUE(tensors) << tensors.error().to_string();
  ASSERT_EQ(tensors->size(), 3U);
  const PickledTensor& matrix = (*tensors)[0];
  EXPECT_EQ(matrix.name, "matrix");
  EXPECT_EQ(matrix.storage_type, "FloatStorage");
  EXPECT_EQ(matrix.storage_key, "0");
  EXPECT_EQ(matrix.storage_size, 10U);
  EXPECT_EQ(matrix.offset, 4U);
  EXPECT_THAT(matrix.shape, ElementsAre(2, 3));
  EXPECT_THAT(matrix.strides, ElementsAre(1, 2));
  EXPECT_TRUE((*tensors)[1].shape.empty());
  EXPECT_EQ((*tensors)[2].name, "parameter");
}

TEST(Pickle, ReadsTheOpcodesOfLaterProtocols) {
  ByteBuilder raw;  // protocol 4: a frame, short texts, memoised values, classes named from the stack
  raw.u8(0x80).u8(4).u8(0x95).u64(1000).text("}").u8(0x94).text("(").u8(0x8c).u8(1).text("a").u8(0x94);
  raw.u8(0x8c).u8(12).text("torch._utils").u8(0x8c).u8(18).text("_rebuild_tensor_v2").u8(0x93).text("(");
  raw.text("(")
      .u8(0x8c)
      .u8(7)
      .text("storage")
      .u8(0x8c)
      .u8(5)
      .text("torch")
      .u8(0x8c)
      .u8(11)
      .text("HalfStorage")
      .u8(0x93);
  raw.u8(0x8c).u8(1).text("0").u8(0x8c).u8(3).text("cpu").text("K").u8(6).text("tQ");
  raw.text("K").u8(0).text("K").u8(2).text("M").u8(3).u8(0).u8(0x86).text("h").u8(1);  // "a" again, to be dropped
  raw.text("0").text("K").u8(3).text("K").u8(1).u8(0x86).u8(0x89).text("}").text("tRu.");
  const auto tensors = parse_pickled_tensors(raw.bytes());
  ASSERT_TRUE(tensors) << tensors.error().to_string();
  EXPECT_EQ((*tensors)[0].storage_type, "HalfStorage");
  EXPECT_THAT((*tensors)[0].shape, ElementsAre(2, 3));
}

TEST(Pickle, RefusesWhateverElseAFileNames) {
  const Bytes system = PickleBuilder().global("os", "system").text("echo pwned").op(0x85).op('R').stop();
  EXPECT_THAT(pickle_error(system), HasSubstr("it names os.system"));
  EXPECT_THAT(pickle_error(system), HasSubstr("nothing was run"));
  EXPECT_EQ(parse_pickled_tensors(system).error().code, ErrorCode::kUnsupported);
  for (const auto& [module, name] :
       std::vector<std::pair<std::string, std::string>>{{"builtins", "eval"},
                                                        {"__builtin__", "getattr"},
                                                        {"torch", "load"},
                                                        {"torch._utils", "_rebuild_tensor"},
                                                        {"torch.storage", "_load_from_bytes"},
                                                        {"numpy.core.multiarray", "_reconstruct"},
                                                        {"collections", "Counter"},
                                                        {"torch._utils ", "_rebuild_tensor_v2"},
                                                        {"", ""}}) {
    EXPECT_THAT(pickle_error(PickleBuilder().global(module, name).stop()),
                HasSubstr("it names " + module + "." + name + ","));
    ByteBuilder stacked;
    stacked.u8(0x80).u8(4).u8(0x8c).u8(static_cast<int>(module.size())).text(module);
    stacked.u8(0x8c).u8(static_cast<int>(name.size())).text(name).u8(0x93).text(".");
    EXPECT_THAT(pickle_error(stacked.bytes()), HasSubstr("it names " + module + "." + name + ","));
  }
  // Opcodes that make objects in other ways.
  for (const int opcode :
       std::initializer_list<int>{'i', 'o', 0x81, 0x92, 0x82, 0x83, 0x84, 0x97, 0x98, 'P', 'I', 'F', 'V', 'p', 'g'})
    EXPECT_THAT(pickle_error(PickleBuilder().op('(').op(opcode).stop()), HasSubstr("which no state dict needs"));
}

TEST(Pickle, RefusesWhatBreaksItsOwnRules) {
  EXPECT_THAT(pickle_error({}), HasSubstr("ends too early"));
  EXPECT_THAT(pickle_error(PickleBuilder().stop()), HasSubstr("empty stack"));
  EXPECT_THAT(pickle_error(PickleBuilder().op('t').stop()), HasSubstr("a mark that is not there"));
  EXPECT_THAT(pickle_error(PickleBuilder().op('}').op('(').text("a").op('u').stop()),
              HasSubstr("a key without a value"));
  EXPECT_THAT(pickle_error(PickleBuilder().op(')').op('(').op('u').stop()), HasSubstr("no list or dict"));
  EXPECT_THAT(pickle_error(PickleBuilder().op('h').op(3).stop()), HasSubstr("recalls what it never stored"));
  EXPECT_THAT(pickle_error(PickleBuilder().op('}').op('}').stop()), HasSubstr("leaves values behind"));
  EXPECT_THAT(pickle_error(PickleBuilder().op(')').stop()), HasSubstr("no dict of tensors"));
  EXPECT_THAT(pickle_error(PickleBuilder().op('}').text("epoch").integer(3).op('s').stop()),
              HasSubstr("'epoch' is no tensor"));
  EXPECT_THAT(pickle_error(PickleBuilder().op('}').integer(3).integer(3).op('s').stop()),
              HasSubstr("a key that is no text"));
  EXPECT_THAT(pickle_error(PickleBuilder().text("a").op(')').op('R').stop()),
              HasSubstr("calls something that is no function"));
  EXPECT_THAT(pickle_error(PickleBuilder().global("torch", "FloatStorage").op(')').op('R').stop()),
              HasSubstr("calls torch.FloatStorage"));
  EXPECT_THAT(pickle_error(PickleBuilder().text("a").op('Q').stop()), HasSubstr("a storage needs five fields"));
  EXPECT_THAT(pickle_error(PickleBuilder().op(']').op('}').op('b').stop()),
              HasSubstr("attributes of something that is no dict"));
  EXPECT_THAT(pickle_error(PickleBuilder().op('}').text("a").tensor("0", -1, 0, {1}, {1}).op('s').stop()),
              HasSubstr("a storage's fields"));
  EXPECT_THAT(pickle_error(PickleBuilder().op('}').text("a").tensor("0", 4, -1, {1}, {1}).op('s').stop()),
              HasSubstr("a tensor's fields"));
  EXPECT_THAT(pickle_error(PickleBuilder().op('}').text("a").tensor("0", 4, 0, {~0ULL}, {1}).op('s').stop()),
              HasSubstr("a tensor's fields"));
  EXPECT_THAT(pickle_error(PickleBuilder().op('}').text("a").tensor("0", 4, 0, {2, 2}, {1}).op('s').stop()),
              HasSubstr("a tensor's fields"));
  ByteBuilder old;
  old.u8(0x80).u8(1).text("}.");
  EXPECT_THAT(pickle_error(old.bytes()), HasSubstr("protocol 1"));
  EXPECT_THAT(pickle_error(Bytes(2 << 20, std::byte{'N'})), HasSubstr("2097152 bytes"));
}

TEST(Pickle, MayNestAndContainItselfWithoutHarm) {
  PickleBuilder deep;
  for (int i = 0; i < 400000; ++i) deep.op(0x85 - 0x85 + ')');
  EXPECT_THAT(pickle_error(deep.stop()), HasSubstr("leaves values behind"));
  PickleBuilder nested;
  nested.op(')');
  for (int i = 0; i < 400000; ++i) nested.op(0x85);
  EXPECT_THAT(pickle_error(nested.stop()), HasSubstr("no dict of tensors"));
  // A list and a dict that hold themselves.
  EXPECT_THAT(pickle_error(PickleBuilder().op(']').op('q').op(0).op('h').op(0).op('a').stop()), HasSubstr("no dict"));
  EXPECT_THAT(pickle_error(PickleBuilder().op('}').op('q').op(0).text("a").op('h').op(0).op('s').stop()),
              HasSubstr("'a' is no tensor"));
}

TEST(Pickle, RefusesEveryTruncationAndSurvivesAnyChange) {
  const Bytes pickle = PickleBuilder().op('}').text("a").tensor("0", 4, 0, {2, 2}, {2, 1}).op('s').stop();
  ASSERT_TRUE(parse_pickled_tensors(pickle));
  for_each_truncation(pickle, [](const Bytes& cut) { EXPECT_FALSE(parse_pickled_tensors(cut)) << cut.size(); });
  for_each_mutation(pickle, pickle.size(), 20000,
                    [](const Bytes& changed) { static_cast<void>(parse_pickled_tensors(changed)); });
}

// An archive with one tensor "a" over the floats 0, 1, 2, … of storage 0.
Bytes one_tensor(std::int32_t elements, std::int32_t offset, const std::vector<std::uint64_t>& shape,
                 const std::vector<std::uint64_t>& strides, std::size_t stored = 12) {
  std::vector<float> values(stored);
  for (std::size_t i = 0; i < stored; ++i) values[i] = static_cast<float>(i);
  const auto content = bytes_of(values);
  return zip_file(
      {{"x/data.pkl", PickleBuilder().op('}').text("a").tensor("0", elements, offset, shape, strides).op('s').stop()},
       {"x/data/0", Bytes(content.begin(), content.end())}});
}

std::string bin_error(const Bytes& file) {
  const auto result = parse_pytorch_bin(file);
  return result ? "accepted" : result.error().to_string();
}

TEST(PytorchBin, ReadsViewsOfStorages) {
  const Bytes file = one_tensor(12, 1, {2, 3}, {1, 4});  // a transposed part
  EXPECT_TRUE(looks_like_pytorch_bin(file));
  const auto tensors = parse_pytorch_bin(file);
  ASSERT_TRUE(tensors) << tensors.error().to_string();
  std::vector<float> row(3);
  read_row((*tensors)[0], 1, row);
  EXPECT_THAT(row, ElementsAre(2, 6, 10));
  EXPECT_EQ(bin_error(one_tensor(12, 11, {5}, {0})), "accepted") << "one number, five times";
  EXPECT_EQ(bin_error(one_tensor(12, 0, {0, 4}, {4, 1})), "accepted");
  EXPECT_EQ(bin_error(one_tensor(12, 0, {3, 4}, {4, 1})), "accepted");
}

TEST(PytorchBin, RefusesViewsThatLeaveTheirStorage) {
  for (const auto& file :
       {one_tensor(12, 1, {3, 4}, {4, 1}), one_tensor(12, 12, {1}, {1}), one_tensor(12, 0, {2}, {12}),
        one_tensor(12, 0, {2}, {1ULL << 62}), one_tensor(12, 0, {1ULL << 62}, {4}),
        one_tensor(12, 0, {1ULL << 32, 1ULL << 32}, {1ULL << 32, 1ULL << 32})})
    EXPECT_THAT(bin_error(file), HasSubstr("passes the 12 elements of its storage '0'"));
  EXPECT_THAT(bin_error(one_tensor(0, 0, {1}, {1}, 0)), HasSubstr("passes the 0 elements"));
  EXPECT_THAT(bin_error(one_tensor(13, 0, {1}, {1})),
              HasSubstr("should hold 13 elements of 4 bytes, but has 48 bytes"));
}

TEST(PytorchBin, RefusesWhatIsNoCheckpoint) {
  EXPECT_THAT(bin_error(zip_file({{"a", {}}})), HasSubstr("no data.pkl"));
  EXPECT_THAT(bin_error(zip_file({{"x/data.pkl", {}}, {"y/data.pkl", {}}})), HasSubstr("more than one data.pkl"));
  EXPECT_THAT(bin_error(zip_file(
                  {{"x/data.pkl", PickleBuilder().op('}').text("a").tensor("0", 1, 0, {1}, {1}).op('s').stop()}})),
              HasSubstr("storage '0' is missing"));
  Bytes big = some_bytes(3);
  std::memcpy(big.data(), "big", 3);
  EXPECT_THAT(bin_error(zip_file({{"x/data.pkl", {}}, {"x/byteorder", big}})), HasSubstr("big-endian"));
  const Bytes old = PickleBuilder().op('N').stop();
  EXPECT_TRUE(looks_like_pytorch_bin(old));
  EXPECT_THAT(bin_error(old), HasSubstr("before PyTorch 1.6"));
}

TEST(PytorchBin, RefusesEveryTruncationAndSurvivesAnyChange) {
  const Bytes file = pytorch_file({{"a", {2, 3}, {1, 2, 3, 4, 5, 6}}, {"b", {2}, {1, 2}}});
  ASSERT_TRUE(parse_pytorch_bin(file));
  for_each_truncation(file, [](const Bytes& cut) { EXPECT_FALSE(parse_pytorch_bin(cut)) << cut.size(); });
  for_each_mutation(file, file.size(), 20000, [](const Bytes& changed) {
    if (const auto tensors = parse_pytorch_bin(changed))
      for (const RawTensor& tensor : *tensors) {
        if (!tensor.dtype || tensor.shape.empty() || tensor.shape.size() > 2 || tensor.bytes.empty()) continue;
        std::vector<float> row(std::min<std::size_t>(tensor.shape.back(), 1000));
        read_row(tensor, tensor.shape.size() == 2 ? tensor.shape[0] - 1 : 0, row);
      }
  });
}

}  // namespace
}  // namespace midinf

// `convert` and `info` on the golden networks: what ends up in the file, and how wrong input ends.
#include "convert_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "info_command.h"
#include "model/gguf.h"
#include "model_report.h"
#include "terminal.h"

namespace midinf::cli {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

const std::string kGolden = MIDINF_TEST_DATA "/golden/";

class ConvertCommand : public testing::Test {
 protected:
  ConvertCommand() { fs::create_directories(folder_); }
  ~ConvertCommand() override { fs::remove_all(folder_); }
  [[nodiscard]] std::string path(const char* name) const { return (folder_ / name).string(); }
  // Runs a command with what it prints caught.
  template <class Command>
  int quietly(Command command) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int status = command();
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return status;
  }
  int convert(const std::string& source, const std::string& destination, const std::string& type = "q8_0",
              const std::string& metadata = {}, const std::string& calibration = {}, bool json = false) {
    return quietly([&] { return run_convert({source, destination, type, metadata, json, calibration}); });
  }
  void put(const char* name, const std::string& text) const { std::ofstream(folder_ / name) << text; }

  fs::path folder_ = fs::temp_directory_path() / ("midinf_convert_command_" + std::to_string(::getpid()));
  std::string out_, err_;
};

GgufMetadata metadata_of(const std::string& path) {
  const auto file = MappedFile::open(path);
  return file ? parse_gguf(file->bytes())->metadata : GgufMetadata{};
}

TEST_F(ConvertCommand, WritesWhereTheWeightsCameFrom) {
  ASSERT_EQ(convert(kGolden + "tiny-inverse-layer", path("a.gguf")), kDone) << err_;
  EXPECT_THAT(out_, HasSubstr("3 layers, 2 heads, width 32, context 1024, vocabulary 55028 (amt-arrival-55028)"));
  EXPECT_THAT(out_, HasSubstr("licence     not stated"));
  const GgufMetadata keys = metadata_of(path("a.gguf"));
  EXPECT_EQ(*find_key(keys, "general.name"), GgufValue(std::string("tiny-inverse-layer")));
  EXPECT_EQ(*find_key(keys, "midinfinite.source.file"), GgufValue(std::string("pytorch_model.bin")));
  // By sha256sum.
  EXPECT_EQ(*find_key(keys, "midinfinite.source.sha256"),
            GgufValue(std::string("2c7128f5002e275bbdc6d7d5ee5818c54a755da6f0bbb155e587e8874360611f")));
  EXPECT_EQ(*find_key(keys, "midinfinite.source.inverse_layer_scale_folded"), GgufValue(true));

  // A second conversion keeps naming the first source.
  ASSERT_EQ(convert(path("a.gguf"), path("b.gguf"), "f16"), kDone) << err_;
  EXPECT_EQ(*find_key(metadata_of(path("b.gguf")), "midinfinite.source.sha256"),
            *find_key(keys, "midinfinite.source.sha256"));
}

TEST_F(ConvertCommand, TakesKeysFromAFileAndTheLicenceFromAModelCard) {
  for (const char* name : {"config.json", "model.safetensors"}) fs::copy_file(kGolden + "tiny/" + name, folder_ / name);
  put("README.md", "---\ntags: [music]\nlicense: apache-2.0\n---\nlicense: not this\n");
  put("keys.json", R"({"general.name": "a name", "midinfinite.count": 3, "midinfinite.yes": true})");
  ASSERT_EQ(convert(folder_.string(), path("a.gguf"), "f32", path("keys.json")), kDone) << err_;
  const GgufMetadata keys = metadata_of(path("a.gguf"));
  EXPECT_EQ(*find_key(keys, "general.license"), GgufValue(std::string("apache-2.0")));
  EXPECT_EQ(*find_key(keys, "general.name"), GgufValue(std::string("a name")));
  EXPECT_EQ(*find_key(keys, "midinfinite.count"), GgufValue(std::uint32_t{3}));
  EXPECT_EQ(*find_key(keys, "midinfinite.yes"), GgufValue(true));
  ASSERT_EQ(quietly([&] { return run_info({path("a.gguf"), true}); }), kDone);
  const auto info = nlohmann::json::parse(out_);
  EXPECT_EQ(info["licence"], "apache-2.0");
  EXPECT_EQ(info["parameters"], 1831840);
  EXPECT_EQ(info["type"], "f32");
}

TEST_F(ConvertCommand, CalibratesFourBitsOrSaysWhatThatWouldSpare) {
  constexpr const char* kKey = "midinfinite.calibration.sha256";
  const std::string rows = kGolden + "valid-2rows.u16";
  ASSERT_EQ(convert(kGolden + "tiny", path("plain.gguf"), "q4_0", "", "", true), kDone) << err_;
  EXPECT_THAT(err_, HasSubstr("without --calibration"));
  EXPECT_FALSE(find_key(metadata_of(path("plain.gguf")), kKey));
  ASSERT_EQ(convert(kGolden + "tiny", path("a.gguf"), "q4_0", "", rows), kDone) << err_;
  EXPECT_THAT(err_, Not(HasSubstr("without --calibration")));
  const GgufMetadata keys = metadata_of(path("a.gguf"));
  ASSERT_TRUE(find_key(keys, kKey));
  // By sha256sum.
  EXPECT_EQ(*find_key(keys, kKey),
            GgufValue(std::string("20c3372e3006c8a3f2643e9d132dc79e7fc8da968319d9cf286935d254c1121f")));
  EXPECT_NE(*read_file(path("a.gguf"), 1 << 24), *read_file(path("plain.gguf"), 1 << 24));
  // The same four bits were calibrated, those made of other types later were not.
  ASSERT_EQ(convert(path("a.gguf"), path("same.gguf"), "q4_0"), kDone) << err_;
  EXPECT_THAT(err_, Not(HasSubstr("without --calibration")));
  EXPECT_EQ(*read_file(path("same.gguf"), 1 << 24), *read_file(path("a.gguf"), 1 << 24));
  ASSERT_EQ(convert(path("a.gguf"), path("b.gguf"), "f32"), kDone) << err_;
  ASSERT_EQ(convert(path("b.gguf"), path("c.gguf"), "q4_0"), kDone) << err_;
  for (const char* name : {"b.gguf", "c.gguf"}) EXPECT_FALSE(find_key(metadata_of(path(name)), kKey)) << name;
}

TEST_F(ConvertCommand, EndsWithOneLineWhenItCannot) {
  EXPECT_EQ(convert(kGolden + "tiny", path("a.gguf"), "q4_k"), kWrongUsage);
  EXPECT_EQ(convert(kGolden + "tiny", path("a.gguf"), "q8_0", "", "nothing"), kWrongUsage);
  EXPECT_EQ(convert(kGolden + "nothing", path("a.gguf")), kFailed);
  EXPECT_EQ(std::count(err_.begin(), err_.end(), '\n'), 1) << err_;
  for (const char* keys : {"[]", R"({"gpt2.block_count": 2})", R"({"general.alignment": 64})", R"({"author": "x"})",
                           R"({"general.tags": ["a"]})"}) {
    put("keys.json", keys);
    EXPECT_EQ(convert(kGolden + "tiny", path("a.gguf"), "q8_0", path("keys.json")), kFailed) << keys;
    EXPECT_THAT(err_, HasSubstr("keys.json")) << keys;
  }
  EXPECT_FALSE(fs::exists(path("a.gguf")));
  EXPECT_EQ(quietly([&] { return run_info({path("keys.json"), false}); }), kFailed);
}

TEST(ModelReport, ShowsNoControlCharacters) {
  EXPECT_EQ(printable("a\x1b[31mb\nc\x7f ü"), "a?[31mb?c? ü");
  EXPECT_EQ(to_text("\xff"), "\"\xef\xbf\xbd\"") << "no UTF-8, no exception";
}

}  // namespace
}  // namespace midinf::cli

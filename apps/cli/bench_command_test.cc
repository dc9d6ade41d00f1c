// `bench` on the smallest golden network: what is reported, and that what it counts is what is read. No test looks at a
// time.
#include "bench_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bench_measure.h"
#include "terminal.h"
#include "tokens/vocabulary.h"

namespace midinf::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const std::string kTiny = MIDINF_TEST_DATA "/golden/tiny";

class BenchCommand : public testing::Test {
 protected:
  int bench(const BenchArguments& arguments) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int status = run_bench(arguments);
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return status;
  }
  std::string out_, err_;
};

TEST_F(BenchCommand, ReportsEveryPartBestAndMedian) {
  ASSERT_EQ(bench({.model = kTiny, .threads = 1, .notes = 20, .rounds = 2, .notes_per_second = 8, .json = true}), kDone)
      << err_;
  const json report = json::parse(out_);
  EXPECT_EQ(report["model"], kTiny);
  EXPECT_EQ(report["threads"], 1);
  EXPECT_EQ(report["rounds"], 2);
  EXPECT_EQ(report["held_to_notes_per_second"], 8);
  EXPECT_EQ(report["type"], "f16");
  for (const char* key : {"kernels", "layers", "heads", "width", "parameters"})
    EXPECT_TRUE(report.contains(key)) << key;
  std::vector<json> spreads = {report["loading_seconds"], report["first_note_seconds"],
                               report["prefill"]["tokens_per_second"]};
  for (const char* key : {"step_seconds", "longest_step_seconds", "longest_read_ahead_seconds"})
    spreads.push_back(report["slide"][key]);
  for (const char* key : {"tokens_per_second", "notes_per_second", "times_real_time", "generating_seconds"})
    spreads.push_back(report["music"][key]);
  ASSERT_EQ(report["decode"].size(), 6U);
  for (const json& point : report["decode"])
    for (const char* key : {"tokens_per_second", "read_bytes_per_second", "reached"}) spreads.push_back(point[key]);
  for (const json& spread : spreads) {
    EXPECT_GT(spread["best"].get<double>(), 0) << report;
    EXPECT_GT(spread["median"].get<double>(), 0) << report;
  }
  EXPECT_EQ(report["music"]["notes"], 20);
  EXPECT_EQ(report["decode"][1]["rows"], kVocabulary);
}

TEST_F(BenchCommand, MeasuresAPartForItself) {
  ASSERT_EQ(bench({.model = kTiny, .threads = 2, .rounds = 1, .only = {"decode"}, .json = true}), kDone) << err_;
  const json report = json::parse(out_);
  EXPECT_TRUE(report.contains("decode"));
  for (const char* key : {"loading_seconds", "first_note_seconds", "prefill", "music", "slide"})
    EXPECT_FALSE(report.contains(key)) << key;
  ASSERT_EQ(bench({.model = kTiny, .threads = 1, .rounds = 1, .only = {"prefill"}}), kDone) << err_;
  EXPECT_THAT(out_, HasSubstr("prefill"));
  EXPECT_THAT(out_, testing::Not(HasSubstr("music")));
}

TEST_F(BenchCommand, EndsWithOneLineWithoutAModel) {
  EXPECT_EQ(bench({.model = "nothing.gguf"}), kFailed);
  EXPECT_EQ(std::count(err_.begin(), err_.end(), '\n'), 1) << err_;
}

TEST(BenchMeasure, AsksAsAGeneratorDoes) {
  for (const int context : {64, 512, 1'000}) {
    const auto requests = requests_at(context);
    ASSERT_EQ(requests.size(), std::size_t{kIdsTimed});
    double ids = 0;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(requests[i].context.size(), requests.front().context.size() + i) << "one pass each";
      EXPECT_EQ(requests[i].context.front(), kAutoregress);
      ids += static_cast<double>(requests[i].context.size());
    }
    EXPECT_NEAR(ids / kIdsTimed, context, 2);
    EXPECT_LT(requests[0].rows.ranges().back().end, kMaxOnset + 1);
    EXPECT_FALSE(requests[0].rows.contains(0)) << "music does not go back in time";
    EXPECT_EQ(requests[1].rows.size(), kMaxDuration);
    EXPECT_EQ(requests[2].rows.size(), 129 * kPitches + 1);
  }
}

TEST(BenchMeasure, CountsTheBytesOfLayersHeadAndCache) {
  const auto engine = load_engine(kTiny, 1);
  ASSERT_TRUE(engine) << engine.error().to_string();
  const Gpt2Config& shape = engine->network->config();
  const double width = shape.width;
  Decoder decoder = engine->decoder();
  const KeptRequest request{std::vector<TokenId>(100, 1), {RowRange{0, 64}}};
  // Four matrices, their biases, two norms; queries, keys and values of one head are 48 rows and fill two panels.
  const double layer = (4 + 1 + 4 + 4) * width * width + (4 + 1 + 4 + 1 + 4) * width;
  EXPECT_EQ(bytes_touched(*engine, decoder, std::span(&request, 1)),
            4 * (shape.layers * layer + 64 * width + 100 * 2 * shape.layers * width));
}

TEST(BenchMeasure, HoldsRandomWeightsToSoManyNotes) {
  const auto engine = load_engine(kTiny, 1);
  ASSERT_TRUE(engine);
  const auto music = time_music(*engine, bench_settings(8), {.seconds = 20});
  ASSERT_TRUE(music);
  EXPECT_GT(music->events.size(), 80U);
  EXPECT_LT(music->events.size(), 320U);
}

}  // namespace
}  // namespace midinf::cli

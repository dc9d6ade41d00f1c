// The embedded model through midinfinite.h: music at once, and the same music from all its doors.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "midinfinite/midinfinite.h"

namespace midinf {
namespace {

const std::string kModel = MIDINF_SOURCE_DIR "/models/mini-q8_0.gguf";

TEST(CApiWithMini, SoundsAtOnceAndIsTheSameByGeneratorAndStream) {
  midinf_model* model = nullptr;
  ASSERT_EQ(midinf_model_load_file(kModel.c_str(), nullptr, &model), MIDINF_STATUS_OK) << midinf_last_error();
  midinf_settings settings;
  midinf_settings_init(&settings);
  settings.seed = 11;
  midinf_stream_params params;
  midinf_stream_params_init(&params);
  params.settings = &settings;
  params.look_ahead_seconds = 2;
  midinf_stream* stream = nullptr;
  midinf_generator* generator = nullptr;
  ASSERT_EQ(midinf_stream_create(model, &params, &stream), MIDINF_STATUS_OK);
  ASSERT_EQ(midinf_generator_create(model, &settings, nullptr, 0, &generator), MIDINF_STATUS_OK);
  midinf_model_free(model);

  ASSERT_EQ(midinf_stream_start(stream), MIDINF_STATUS_OK);
  std::vector<midinf_note> heard;
  const auto begin = std::chrono::steady_clock::now();
  for (double now = 0; heard.size() < 30 && std::chrono::steady_clock::now() < begin + std::chrono::minutes(2);) {
    midinf_note notes[64];
    std::size_t count = 0;
    ASSERT_EQ(midinf_stream_pull(stream, now + 0.1, notes, 64, &count, &now), MIDINF_STATUS_OK);
    heard.insert(heard.end(), notes, notes + count);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  midinf_stream_free(stream);
  ASSERT_GE(heard.size(), 30U);
  for (const midinf_note& note : heard) {
    midinf_note same;
    ASSERT_EQ(midinf_generator_next(generator, &same, nullptr), MIDINF_STATUS_OK) << midinf_last_error();
    EXPECT_EQ(same.event, note.event);
    EXPECT_EQ(same.onset, note.onset);
    EXPECT_EQ(same.duration, note.duration);
    EXPECT_EQ(same.instrument, note.instrument);
    EXPECT_EQ(same.pitch, note.pitch);
  }
  midinf_generator_free(generator);
}

}  // namespace
}  // namespace midinf

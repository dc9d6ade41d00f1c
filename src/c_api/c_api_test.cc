// Every function of midinfinite.h through its own door, on a small random network: what it does, and what it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "midinfinite/midinfinite.h"
#include "model/convert.h"
#include "model/random_checkpoint.h"
#include "model/test_files.h"
#include "tokens/vocabulary.h"

extern "C" const char* midinf_test_version_in_c(void);
extern "C" midinf_status midinf_test_defaults_in_c(void);

bool operator==(const midinf_note& a, const midinf_note& b) {
  return a.onset == b.onset && a.duration == b.duration && a.instrument == b.instrument && a.pitch == b.pitch &&
         a.velocity == b.velocity && a.event == b.event;
}

namespace midinf {
namespace {

using testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

template <class T, void (*Free)(T*)>
struct Deleter {
  void operator()(T* object) const { Free(object); }
};
using ModelPtr = std::unique_ptr<midinf_model, Deleter<midinf_model, midinf_model_free>>;
using GeneratorPtr = std::unique_ptr<midinf_generator, Deleter<midinf_generator, midinf_generator_free>>;
using StreamPtr = std::unique_ptr<midinf_stream, Deleter<midinf_stream, midinf_stream_free>>;
using PlayerPtr = std::unique_ptr<midinf_player, Deleter<midinf_player, midinf_player_free>>;
using Notes = std::vector<midinf_note>;

// A network whose last bias is `fill`, if that is not 0: so large a one makes infinities.
class Weights : public RandomCheckpoint {
 public:
  Weights(Gpt2Config config, float fill) : RandomCheckpoint(config, 7), fill_(fill) {}
  [[nodiscard]] Result<std::vector<float>> read(std::string_view name) const override {
    auto values = RandomCheckpoint::read(name);
    if (name == "output_norm.bias" && fill_ != 0) std::fill(values->begin(), values->end(), fill_);
    return values;
  }

 private:
  float fill_;
};

Bytes gguf(int vocabulary, float fill = 0) {
  const Weights checkpoint({.layers = 1, .heads = 2, .width = 32, .context = kContext, .vocabulary = vocabulary}, fill);
  MemoryWriter out;
  EXPECT_TRUE(convert(checkpoint, out, {.type = DType::kF32, .metadata = {{"general.name", std::string("tiny")}}}));
  return out.bytes;
}

ModelPtr load(const Bytes& file) {
  midinf_model_params params;
  midinf_model_params_init(&params);
  params.threads = 1;
  midinf_model* model = nullptr;
  EXPECT_EQ(midinf_model_load_memory(file.data(), file.size(), &params, &model), MIDINF_STATUS_OK)
      << midinf_last_error();
  return ModelPtr(model);
}

template <class Call>
Notes all_notes(const Call& call) {
  std::size_t count = 0;
  EXPECT_EQ(call(nullptr, 0, &count), MIDINF_STATUS_OK) << midinf_last_error();
  Notes notes(count);
  EXPECT_EQ(call(notes.data(), notes.size(), &count), MIDINF_STATUS_OK) << midinf_last_error();
  EXPECT_EQ(count, notes.size());
  return notes;
}

template <class Call>
std::string bytes_of(const Call& call) {
  void* bytes = nullptr;
  std::size_t size = 0;
  EXPECT_EQ(call(&bytes, &size), MIDINF_STATUS_OK) << midinf_last_error();
  std::string copy(static_cast<const char*>(bytes), size);
  midinf_buffer_free(bytes);
  return copy;
}

void expect_refused(midinf_status status, const char* argument,
                    midinf_status expected = MIDINF_STATUS_INVALID_ARGUMENT) {
  EXPECT_EQ(status, expected) << argument << ": " << midinf_last_error();
  EXPECT_THAT(midinf_last_error(), HasSubstr(argument));
}

// Random weights make random music: this keeps the steps short and something sounding.
void short_steps(void*, const midinf_step* step, const int32_t* ids, size_t count, bool* forbid) {
  const std::int64_t latest = step->now - step->window_origin + 30;
  for (std::size_t i = 0; i < count; ++i)
    forbid[i] = step->slot == MIDINF_SLOT_NOTE ? ids[i] == kRest : step->slot == MIDINF_SLOT_ONSET && ids[i] >= latest;
}
const midinf_processor kShortSteps{sizeof(midinf_processor), nullptr, short_steps, nullptr};
const std::int32_t kTrio[] = {0, 33, 128};

midinf_settings trio(std::uint64_t seed = 1) {
  midinf_settings settings;
  midinf_settings_init(&settings);
  settings.seed = seed;
  settings.recover = false;
  settings.ensemble = kTrio, settings.ensemble_count = 3;
  settings.processors = &kShortSteps, settings.processor_count = 1;
  return settings;
}

class CApi : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    file_ = gguf(kVocabulary);
    model_ = load(file_);
  }
  static void TearDownTestSuite() { model_.reset(); }

  static GeneratorPtr generator(const midinf_settings& settings, const Notes& prompt = {}) {
    midinf_generator* made = nullptr;
    EXPECT_EQ(midinf_generator_create(model_.get(), &settings, prompt.data(), prompt.size(), &made), MIDINF_STATUS_OK)
        << midinf_last_error();
    return GeneratorPtr(made);
  }
  static Notes next(const GeneratorPtr& generator, int count) {
    Notes notes(static_cast<std::size_t>(count));
    for (midinf_note& note : notes)
      EXPECT_EQ(midinf_generator_next(generator.get(), &note, nullptr), MIDINF_STATUS_OK) << midinf_last_error();
    return notes;
  }
  static StreamPtr stream(const midinf_settings& settings = trio(), const midinf_model* model = model_.get()) {
    midinf_stream_params params;
    midinf_stream_params_init(&params);
    params.settings = &settings;
    midinf_stream* made = nullptr;
    EXPECT_EQ(midinf_stream_create(model, &params, &made), MIDINF_STATUS_OK) << midinf_last_error();
    return StreamPtr(made);
  }
  static void run(const StreamPtr& stream) {
    bool more = true;
    while (more) ASSERT_EQ(midinf_stream_step(stream.get(), &more), MIDINF_STATUS_OK) << midinf_last_error();
  }
  static Notes pull(const StreamPtr& stream, double until, std::size_t capacity = 1'000) {
    Notes notes(capacity);
    std::size_t count = 0;
    EXPECT_EQ(midinf_stream_pull(stream.get(), until, notes.data(), capacity, &count, nullptr), MIDINF_STATUS_OK)
        << midinf_last_error();
    notes.resize(count);
    return notes;
  }
  static Notes play(const StreamPtr& stream, double from, double to) {
    Notes heard;
    for (double t = from + 0.5; t <= to; t += 0.5) {
      run(stream);
      const Notes more = pull(stream, t);
      heard.insert(heard.end(), more.begin(), more.end());
    }
    return heard;
  }
  static Notes known(const StreamPtr& stream) {
    return all_notes([&](auto... rest) { return midinf_stream_get_notes(stream.get(), rest...); });
  }
  static midinf_stream_state state(const StreamPtr& stream) {
    midinf_stream_state state{};
    state.struct_size = sizeof state;
    EXPECT_EQ(midinf_stream_get_state(stream.get(), &state), MIDINF_STATUS_OK);
    return state;
  }
  static std::string saved(const GeneratorPtr& generator) {
    return bytes_of([&](auto... out) { return midinf_generator_save(generator.get(), out...); });
  }

  static Bytes file_;
  static ModelPtr model_;
};
Bytes CApi::file_;
ModelPtr CApi::model_;

// ---- conventions

TEST_F(CApi, ALongMessageIsCutBetweenCharacters) {
  std::string path;
  for (int i = 0; i < 600; ++i) path += "/ä";
  midinf_model* model = nullptr;
  EXPECT_NE(midinf_model_load_file(path.c_str(), nullptr, &model), MIDINF_STATUS_OK);
  const std::string text = midinf_last_error();
  EXPECT_THAT(text, AllOf(HasSubstr("/ä/ä"), testing::SizeIs(testing::AnyOf(1023, 1022))));
  EXPECT_THAT(text, testing::AnyOf(testing::EndsWith("ä"), testing::EndsWith("/")));
}

TEST_F(CApi, IsC) {
  EXPECT_STREQ(midinf_test_version_in_c(), midinf_version());
  EXPECT_EQ(midinf_test_defaults_in_c(), MIDINF_STATUS_INVALID_ARGUMENT);
  EXPECT_THAT(midinf_last_error(), HasSubstr("struct_size"));
}

TEST_F(CApi, EveryStatusHasAName) {
  EXPECT_STREQ(midinf_status_name(MIDINF_STATUS_OK), "ok");
  EXPECT_STREQ(midinf_status_name(MIDINF_STATUS_INTERNAL), "internal");
  for (int status = 0; status <= 8; ++status)
    EXPECT_STRNE(midinf_status_name(static_cast<midinf_status>(status)), "unknown status") << status;
  EXPECT_STREQ(midinf_status_name(static_cast<midinf_status>(9)), "unknown status");
}

TEST_F(CApi, ErrorsBelongToTheirThread) {
  expect_refused(midinf_parse_scale(nullptr, nullptr), "text");
  std::thread([] {
    EXPECT_STREQ(midinf_last_error(), "");
    std::uint16_t mask = 0;
    expect_refused(midinf_parse_scale("H major", &mask), "H major");
  }).join();
  EXPECT_THAT(midinf_last_error(), HasSubstr("text"));
}

TEST_F(CApi, NullIsRefusedByName) {
  const midinf_note note{};
  midinf_settings settings = trio();
  midinf_generator* generator_out = nullptr;
  midinf_stream* stream_out = nullptr;
  midinf_model* model_out = nullptr;
  midinf_player* player_out = nullptr;
  midinf_model_info info{};
  midinf_stream_state stream_state{};
  midinf_player_state player_state{};
  midinf_take take{};
  std::size_t n = 0;
  void* bytes = nullptr;
  bool flag = false;
  const auto g = generator(settings);
  const auto s = stream();
  const struct {
    const char* argument;
    midinf_status status;
  } calls[] = {
      {"text", midinf_parse_ensemble(nullptr, nullptr, 0, &n)},
      {"count", midinf_parse_ensemble("piano", nullptr, 0, nullptr)},
      {"instruments", midinf_parse_ensemble("piano", nullptr, 1, &n)},
      {"mask", midinf_parse_scale("C major", nullptr)},
      {"bytes", midinf_midi_read(nullptr, 3, nullptr, 0, &n)},
      {"notes", midinf_midi_read(file_.data(), 3, nullptr, 1, &n)},
      {"notes", midinf_midi_write(nullptr, 1, &bytes, &n)},
      {"bytes", midinf_midi_write(&note, 1, nullptr, &n)},
      {"size", midinf_midi_write(&note, 1, &bytes, nullptr)},
      {"prompt", midinf_midi_continue(nullptr, 1, &note, 1, &bytes, &n)},
      {"notes", midinf_tokens_from_notes(nullptr, 1, nullptr, 0, &n)},
      {"ids", midinf_tokens_from_notes(&note, 1, nullptr, 3, &n)},
      {"ids", midinf_tokens_to_notes(nullptr, 3, nullptr, 0, &n)},
      {"count", midinf_tokens_to_notes(nullptr, 0, nullptr, 0, nullptr)},
      {"path", midinf_model_load_file(nullptr, nullptr, &model_out)},
      {"model", midinf_model_load_file("x", nullptr, nullptr)},
      {"bytes", midinf_model_load_memory(nullptr, 1, nullptr, &model_out)},
      {"model", midinf_model_load_memory("x", 1, nullptr, nullptr)},
      {"model", midinf_model_get_info(nullptr, &info)},
      {"info", midinf_model_get_info(model_.get(), nullptr)},
      {"source", midinf_convert(nullptr, "x", nullptr)},
      {"destination", midinf_convert("x", nullptr, nullptr)},
      {"model", midinf_generator_create(nullptr, &settings, nullptr, 0, &generator_out)},
      {"prompt", midinf_generator_create(model_.get(), &settings, nullptr, 1, &generator_out)},
      {"generator", midinf_generator_create(model_.get(), &settings, nullptr, 0, nullptr)},
      {"generator", midinf_generator_next(nullptr, nullptr, nullptr)},
      {"note", midinf_generator_next(g.get(), nullptr, nullptr)},
      {"generator", midinf_generator_rewind(nullptr, 0)},
      {"generator", midinf_generator_set_settings(nullptr, &settings)},
      {"settings", midinf_generator_set_settings(g.get(), nullptr)},
      {"generator", midinf_generator_get_settings(nullptr, &settings)},
      {"settings", midinf_generator_get_settings(g.get(), nullptr)},
      {"generator", midinf_generator_save(nullptr, &bytes, &n)},
      {"size", midinf_generator_save(g.get(), &bytes, nullptr)},
      {"model", midinf_generator_restore(nullptr, "x", 1, &generator_out)},
      {"bytes", midinf_generator_restore(model_.get(), nullptr, 1, &generator_out)},
      {"model", midinf_stream_create(nullptr, nullptr, &stream_out)},
      {"stream", midinf_stream_create(model_.get(), nullptr, nullptr)},
      {"stream", midinf_stream_start(nullptr)},
      {"stream", midinf_stream_step(nullptr, &flag)},
      {"stream", midinf_stream_pull(nullptr, 0, nullptr, 0, &n, nullptr)},
      {"notes", midinf_stream_pull(s.get(), 0, nullptr, 1, &n, nullptr)},
      {"count", midinf_stream_pull(s.get(), 0, nullptr, 0, nullptr, nullptr)},
      {"stream", midinf_stream_get_state(nullptr, &stream_state)},
      {"state", midinf_stream_get_state(s.get(), nullptr)},
      {"stream", midinf_stream_get_notes(nullptr, nullptr, 0, &n)},
      {"stream", midinf_stream_change(nullptr, &settings)},
      {"stream", midinf_stream_amend(nullptr, &settings)},
      {"stream", midinf_stream_get_notes_from(nullptr, 0, nullptr, 0, &n)},
      {"settings", midinf_stream_change(s.get(), nullptr)},
      {"settings", midinf_stream_amend(s.get(), nullptr)},
      {"stream", midinf_stream_get_settings(nullptr, &settings)},
      {"stream", midinf_stream_again(nullptr, 0)},
      {"stream", midinf_stream_undo(nullptr)},
      {"stream", midinf_stream_redo(nullptr)},
      {"stream", midinf_stream_seek(nullptr, 0)},
      {"stream", midinf_stream_start_takes(nullptr, 1, 1)},
      {"stream", midinf_stream_get_take(nullptr, 0, &take)},
      {"take", midinf_stream_get_take(s.get(), 0, nullptr)},
      {"stream", midinf_stream_get_take_notes(nullptr, 0, nullptr, 0, &n)},
      {"stream", midinf_stream_accept_take(nullptr, 0)},
      {"stream", midinf_stream_drop_takes(nullptr)},
      {"stream", midinf_stream_save(nullptr, nullptr, 0, &bytes, &n)},
      {"attachment", midinf_stream_save(s.get(), nullptr, 1, &bytes, &n)},
      {"model", midinf_stream_open(nullptr, "x", 1, &stream_out, nullptr, nullptr)},
      {"attachment_size", midinf_stream_open(model_.get(), "x", 1, &stream_out, &bytes, nullptr)},
      {"stream", midinf_player_create(nullptr, nullptr, &player_out)},
      {"player", midinf_player_create(s.get(), nullptr, nullptr)},
      {"player", midinf_player_get_state(nullptr, &player_state)},
  };
  for (const auto& call : calls) EXPECT_EQ(call.status, MIDINF_STATUS_INVALID_ARGUMENT) << call.argument;
  expect_refused(midinf_stream_save(s.get(), nullptr, 1, &bytes, &n), "attachment: is NULL");

  midinf_buffer_free(nullptr);
  midinf_model_free(nullptr), midinf_generator_free(nullptr), midinf_stream_free(nullptr), midinf_player_free(nullptr);
  midinf_settings_init(nullptr), midinf_model_params_init(nullptr), midinf_convert_params_init(nullptr);
  midinf_stream_params_init(nullptr), midinf_player_params_init(nullptr);
  midinf_generator_cancel(nullptr), midinf_stream_stop(nullptr), midinf_stream_panic(nullptr);
  midinf_stream_set_playing(nullptr, true), midinf_stream_set_speed(nullptr, 1), midinf_stream_set_velocity(nullptr, 1);
  midinf_stream_set_transpose(nullptr, 1), midinf_stream_set_volume(nullptr, 0, 1);
  midinf_stream_set_muted(nullptr, 0, true);
  EXPECT_EQ(midinf_player_process(nullptr, 64, nullptr, 0), 0U);
}

TEST_F(CApi, StructsOfOtherVersionsAreUnderstood) {
  // A newer program: more behind what is known.
  struct {
    midinf_settings known;
    char more[64];
  } newer{};
  newer.known = trio();
  newer.known.struct_size = sizeof newer;
  std::memset(newer.more, 0x5A, sizeof newer.more);
  const auto same = generator(trio());
  const auto with_newer = generator(newer.known);
  EXPECT_EQ(next(with_newer, 20), next(same, 20));

  // An older one: it ends after the seed, and what follows in memory is none of the struct.
  midinf_settings older = trio(5);
  older.struct_size = offsetof(midinf_settings, temperature);
  older.temperature = kNan;
  const auto g = generator(older);
  midinf_settings read{};
  read.struct_size = sizeof read;
  ASSERT_EQ(midinf_generator_get_settings(g.get(), &read), MIDINF_STATUS_OK);
  EXPECT_EQ(read.seed, 5U);
  EXPECT_EQ(read.temperature, 1);
  EXPECT_EQ(read.processor_count, 0U);

  // Out: nothing is written beyond the size given.
  midinf_model_info info;
  std::memset(&info, 0x77, sizeof info);
  info.struct_size = offsetof(midinf_model_info, width);
  ASSERT_EQ(midinf_model_get_info(model_.get(), &info), MIDINF_STATUS_OK);
  EXPECT_EQ(info.struct_size, offsetof(midinf_model_info, width));
  EXPECT_EQ(info.heads, 2);
  EXPECT_EQ(info.width, 0x77777777);

  for (const std::size_t wrong : {std::size_t{0}, sizeof(std::size_t), std::size_t{1} << 40}) {
    midinf_settings settings = trio();
    settings.struct_size = wrong;
    midinf_generator* none = nullptr;
    expect_refused(midinf_generator_create(model_.get(), &settings, nullptr, 0, &none), "struct_size");
    info.struct_size = wrong;
    expect_refused(midinf_model_get_info(model_.get(), &info), "struct_size");
  }
}

// ---- music

TEST_F(CApi, KnowsInstrumentsAndScales) {
  EXPECT_STREQ(midinf_instrument_name(0), "Acoustic Grand Piano");
  EXPECT_STREQ(midinf_instrument_name(MIDINF_DRUMS), "Drums");
  EXPECT_EQ(midinf_instrument_name(-1), nullptr);
  EXPECT_EQ(midinf_instrument_name(MIDINF_INSTRUMENTS), nullptr);
  std::int32_t instruments[2] = {-7, -7};
  std::size_t count = 0;
  ASSERT_EQ(midinf_parse_ensemble("128,0,33", instruments, 2, &count), MIDINF_STATUS_OK);
  EXPECT_EQ(count, 3U);
  EXPECT_THAT(instruments, testing::ElementsAre(0, 33));
  expect_refused(midinf_parse_ensemble("kazoo", instruments, 2, &count), "kazoo");
  EXPECT_EQ(count, 3U) << "a function that fails writes nothing";
  std::uint16_t mask = 0;
  ASSERT_EQ(midinf_parse_scale("C major", &mask), MIDINF_STATUS_OK);
  EXPECT_EQ(mask, 0b101010110101);
}

const Notes kMelody{{0, 50, 0, 60, 90, 0, 0}, {50, 50, 33, 64, 80, 0, 0}, {100, 700, 128, 36, 70, 0, 0}};

TEST_F(CApi, MidiFilesAndTokensGoBothWays) {
  const auto write = [](const Notes& notes) {
    return bytes_of([&](auto... out) { return midinf_midi_write(notes.data(), notes.size(), out...); });
  };
  const auto read = [](const std::string& file) {
    return all_notes([&](auto... out) { return midinf_midi_read(file.data(), file.size(), out...); });
  };
  const std::string file = write(kMelody);
  EXPECT_EQ(read(file), kMelody);
  EXPECT_EQ(read(write({})), Notes{});

  const Notes more{{100, 20, 0, 67, 100, 0, 0}};
  const std::string continued = bytes_of(
      [&](auto... out) { return midinf_midi_continue(file.data(), file.size(), more.data(), more.size(), out...); });
  EXPECT_EQ(read(continued).size(), 4U);

  std::vector<std::int32_t> ids(9);
  std::size_t count = 0;
  ASSERT_EQ(midinf_tokens_from_notes(kMelody.data(), 3, ids.data(), 9, &count), MIDINF_STATUS_OK);
  EXPECT_EQ(count, 9U);
  EXPECT_EQ(ids[3], 50);
  const Notes back = all_notes([&](auto... out) { return midinf_tokens_to_notes(ids.data(), ids.size(), out...); });
  ASSERT_EQ(back.size(), 3U);
  EXPECT_EQ(back[2].duration, 700);
  EXPECT_EQ(back[1].instrument, 33);
}

TEST_F(CApi, RefusesNotesAndFilesThatAreNone) {
  void* bytes = nullptr;
  std::size_t n = 0;
  midinf_generator* none = nullptr;
  for (const midinf_note& wrong : Notes{{-1, 1, 0, 60, 80, 0, 0},
                                        {std::int64_t{1} << 62, 1, 0, 60, 80, 0, 0},
                                        {1'000'000'000, 1, 0, 60, 80, 0, 0},
                                        {0, -1, 0, 60, 80, 0, 0},
                                        {0, 1, 129, 60, 80, 0, 0},
                                        {0, 1, 0, 128, 80, 0, 0}}) {
    const Notes notes{{0, 1, 0, 60, 80, 0, 0}, wrong};
    expect_refused(midinf_midi_write(notes.data(), 2, &bytes, &n), "notes: [1]");
    expect_refused(midinf_tokens_from_notes(notes.data(), 2, nullptr, 0, &n), "notes: [1]");
    expect_refused(midinf_generator_create(model_.get(), nullptr, notes.data(), 2, &none), "prompt: [1]");
  }
  expect_refused(midinf_midi_write(kMelody.data(), std::numeric_limits<std::size_t>::max(), &bytes, &n), "notes");
  expect_refused(midinf_midi_read("no midi", 7, nullptr, 0, &n), "", MIDINF_STATUS_CORRUPT);
  const std::int32_t ids[] = {0, 0, 0};
  expect_refused(midinf_tokens_to_notes(ids, 2, nullptr, 0, &n), "", MIDINF_STATUS_CORRUPT);
  expect_refused(midinf_tokens_to_notes(ids, 3, nullptr, 0, &n), "", MIDINF_STATUS_CORRUPT);
  const std::string file = bytes_of([&](auto... out) { return midinf_midi_write(kMelody.data(), 3, out...); });
  expect_refused(midinf_midi_continue(file.data(), file.size(), kMelody.data(), 1, &bytes, &n), "notes: [0]");
  EXPECT_EQ(bytes, nullptr);
}

// ---- model

TEST_F(CApi, LoadsFilesAndMemoryAndTellsHowFar) {
  const std::string path = testing::TempDir() + "c_api_test.gguf";
  ASSERT_TRUE(write_file_whole(path, std::span<const std::byte>(file_)));
  std::vector<double> seen;
  midinf_model_params params;
  midinf_model_params_init(&params);
  params.threads = 2;
  params.kernels = "plain";
  params.progress = [](void* user, double done) {
    static_cast<std::vector<double>*>(user)->push_back(done);
    return true;
  };
  params.progress_user = &seen;
  midinf_model* model = nullptr;
  ASSERT_EQ(midinf_model_load_file(path.c_str(), &params, &model), MIDINF_STATUS_OK) << midinf_last_error();
  const ModelPtr owner(model);
  EXPECT_GT(seen.size(), 10U);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(seen.front(), 0);
  EXPECT_EQ(seen.back(), 1);
  midinf_model_info info{};
  info.struct_size = sizeof info;
  ASSERT_EQ(midinf_model_get_info(model, &info), MIDINF_STATUS_OK);
  EXPECT_EQ(info.layers, 1);
  EXPECT_EQ(info.width, 32);
  EXPECT_EQ(info.context, kContext);
  EXPECT_EQ(info.vocabulary, kVocabulary);
  EXPECT_EQ(info.threads, 2);
  EXPECT_STREQ(info.kernels, "plain");
  EXPECT_EQ(info.parameters, (kVocabulary + kContext) * 32ULL + 12 * 32 * 32 + 13 * 32 + 2 * 32);

  const std::size_t calls = seen.size();
  for (std::size_t stop = 0; stop < calls; ++stop) {  // wherever it is cancelled
    struct Until {
      std::size_t left;
    } until{stop};
    params.progress = [](void* user, double) { return static_cast<Until*>(user)->left-- > 0; };
    params.progress_user = &until;
    model = nullptr;
    EXPECT_EQ(midinf_model_load_file(path.c_str(), &params, &model), MIDINF_STATUS_CANCELLED) << stop;
    EXPECT_EQ(model, nullptr);
  }
  std::filesystem::remove(path);
}

TEST_F(CApi, RefusesModelsThatCannotPlay) {
  midinf_model* model = nullptr;
  midinf_model_params params;
  midinf_model_params_init(&params);
  expect_refused(midinf_model_load_file("/nowhere/x.gguf", nullptr, &model), "/nowhere", MIDINF_STATUS_NOT_FOUND);
  expect_refused(midinf_model_load_memory("GGUF", 4, nullptr, &model), "", MIDINF_STATUS_CORRUPT);
  expect_refused(midinf_model_load_memory(file_.data(), file_.size() / 2, nullptr, &model), "", MIDINF_STATUS_CORRUPT);
  const Bytes other = gguf(1'000);
  expect_refused(midinf_model_load_memory(other.data(), other.size(), nullptr, &model), "vocabulary",
                 MIDINF_STATUS_UNSUPPORTED);
  params.kernels = "abacus";
  expect_refused(midinf_model_load_memory(file_.data(), file_.size(), &params, &model), "abacus",
                 MIDINF_STATUS_UNSUPPORTED);
  params.kernels = nullptr;
  params.float_cache = 2;
  expect_refused(midinf_model_load_memory(file_.data(), file_.size(), &params, &model), "float_cache");
  params.float_cache = 0;
  for (const int threads : {-1, 257}) {
    params.threads = threads;
    expect_refused(midinf_model_load_memory(file_.data(), file_.size(), &params, &model), "threads");
  }
  EXPECT_EQ(model, nullptr);
}

TEST_F(CApi, ConvertsWholeOrNotAtAll) {
  const std::string source = testing::TempDir() + "c_api_source.gguf", out = testing::TempDir() + "c_api_out.gguf";
  ASSERT_TRUE(write_file_whole(source, std::span<const std::byte>(file_)));
  std::filesystem::remove(out);
  midinf_convert_params params;
  midinf_convert_params_init(&params);
  params.progress = [](void*, double done) { return done < 0.5; };
  EXPECT_EQ(midinf_convert(source.c_str(), out.c_str(), &params), MIDINF_STATUS_CANCELLED);
  EXPECT_FALSE(std::filesystem::exists(out));
  params.progress = nullptr;
  params.type = "q2";
  expect_refused(midinf_convert(source.c_str(), out.c_str(), &params), "q2");
  expect_refused(midinf_convert("/nowhere", out.c_str(), nullptr), "/nowhere", MIDINF_STATUS_NOT_FOUND);
  EXPECT_FALSE(std::filesystem::exists(out));
  ASSERT_EQ(midinf_convert(source.c_str(), out.c_str(), nullptr), MIDINF_STATUS_OK) << midinf_last_error();
  EXPECT_LT(std::filesystem::file_size(out), file_.size() / 3) << "q8_0";
  midinf_model* model = nullptr;
  EXPECT_EQ(midinf_model_load_file(out.c_str(), nullptr, &model), MIDINF_STATUS_OK) << midinf_last_error();
  midinf_model_free(model);
  const auto bytes = read_file(out, 1 << 30);
  ASSERT_TRUE(bytes);
  EXPECT_NE(std::string(reinterpret_cast<const char*>(bytes->data()), 4'096).find("tiny"), std::string::npos)
      << "the file keeps its name";
  std::filesystem::remove(source), std::filesystem::remove(out);
}

// ---- settings and processors

TEST_F(CApi, RefusesSettingsThatMakeNoSense) {
  using Change = std::function<void(midinf_settings&)>;
  static const std::int32_t kNobody[] = {0, 129};
  static const midinf_pitch_range kUpsideDown[] = {{0, 60, 50}};
  static const midinf_processor kOddProcessors[] = {{sizeof(midinf_processor), nullptr, nullptr, nullptr},
                                                    {16, nullptr, nullptr, nullptr}};
  static const midinf_processor kUnset{};
  const std::pair<const char*, Change> wrongs[] = {
      {"temperature", [](auto& s) { s.temperature = kNan; }},
      {"temperature", [](auto& s) { s.temperature = -1; }},
      {"top-p", [](auto& s) { s.top_p = 1.5; }},
      {"min-p", [](auto& s) { s.min_p = -0.5; }},
      {"top-k", [](auto& s) { s.top_k = -1; }},
      {"instrument cap", [](auto& s) { s.instrument_cap = 130; }},
      {"polyphony", [](auto& s) { s.polyphony = -1; }},
      {"pace", [](auto& s) { s.pace = 1'025; }},
      {"density_unit", [](auto& s) { std::memset(&s.density_unit, 7, sizeof s.density_unit); }},
      {"density", [](auto& s) { s.density = INFINITY; }},
      {"frequency penalty", [](auto& s) { s.frequency_penalty = 3; }},
      {"scale", [](auto& s) { s.scale = 0; }},
      {"scale", [](auto& s) { s.scale = 0x1FFF; }},
      {"ensemble", [](auto& s) { s.ensemble = kNobody, s.ensemble_count = 2; }},
      {"ensemble", [](auto& s) { s.ensemble = nullptr, s.ensemble_count = 2; }},
      {"ensemble", [](auto& s) { s.ensemble_count = std::numeric_limits<std::size_t>::max(); }},
      {"pitch range", [](auto& s) { s.pitch_ranges = kUpsideDown, s.pitch_range_count = 1; }},
      {"pitch_ranges", [](auto& s) { s.pitch_range_count = 1; }},
      {"processors", [](auto& s) { s.processors = nullptr; }},
      {"processors", [](auto& s) { s.processors = kOddProcessors, s.processor_count = 2; }},
      {"processors", [](auto& s) { s.processor_count = 1'000; }},
      {"struct_size", [](auto& s) { s.processors = &kUnset; }},
  };
  const auto g = generator(trio());
  const auto s = stream();
  const std::string before = saved(g);
  for (const auto& [argument, change] : wrongs) {
    midinf_settings settings = trio();
    change(settings);
    midinf_generator* none = nullptr;
    midinf_stream* no_stream = nullptr;
    midinf_stream_params params;
    midinf_stream_params_init(&params);
    params.settings = &settings;
    expect_refused(midinf_generator_create(model_.get(), &settings, nullptr, 0, &none), argument);
    expect_refused(midinf_generator_set_settings(g.get(), &settings), argument);
    expect_refused(midinf_stream_create(model_.get(), &params, &no_stream), argument);
    expect_refused(midinf_stream_change(s.get(), &settings), argument);
  }
  EXPECT_EQ(saved(g), before);
  EXPECT_EQ(state(s).undo_steps, 0U);
}

TEST_F(CApi, ShowsTheSettingsThatAct) {
  const midinf_pitch_range ranges[] = {{33, 28, 55}};
  midinf_settings settings = trio(77);
  settings.pitch_ranges = ranges, settings.pitch_range_count = 1;
  settings.density = 2, settings.density_unit = MIDINF_DENSITY_SECONDS;
  const auto g = generator(settings);
  midinf_settings read{};
  read.struct_size = sizeof read;
  ASSERT_EQ(midinf_generator_get_settings(g.get(), &read), MIDINF_STATUS_OK);
  EXPECT_EQ(read.seed, 77U);
  EXPECT_EQ(read.density_unit, MIDINF_DENSITY_SECONDS);
  ASSERT_EQ(read.ensemble_count, 3U);
  EXPECT_EQ(read.ensemble[1], 33);
  ASSERT_EQ(read.pitch_range_count, 1U);
  EXPECT_EQ(read.pitch_ranges[0].highest, 55);
  ASSERT_EQ(read.processor_count, 1U);
  EXPECT_EQ(read.processors[0].narrow, short_steps);
  const auto same = generator(read);
  EXPECT_EQ(next(same, 30), next(g, 30));
}

TEST_F(CApi, AProcessorForbidsAndIsOverruledWhenItForbidsAll) {
  int asked = 0;
  midinf_processor processors[] = {kShortSteps, {sizeof(midinf_processor), &asked, nullptr, nullptr}};
  midinf_settings settings = trio();
  settings.processors = processors, settings.processor_count = 2;
  processors[1].narrow = [](void* user, const midinf_step* step, const int32_t* ids, size_t count, bool* forbid) {
    ++*static_cast<int*>(user);
    EXPECT_EQ(step->struct_size, sizeof *step);
    EXPECT_LE(step->window_events, step->history_count);
    EXPECT_TRUE(std::is_sorted(ids, ids + count));
    if (step->slot == MIDINF_SLOT_NOTE)
      for (std::size_t i = 0; i < count; ++i) forbid[i] = ids[i] < kRest && (ids[i] - kNoteBase) % kPitches % 12 == 1;
  };
  for (const midinf_note& note : next(generator(settings), 60)) EXPECT_NE(note.pitch % 12, 1);
  EXPECT_GE(asked, 180);

  processors[1].narrow = [](void*, const midinf_step*, const int32_t*, size_t count, bool* forbid) {
    std::fill(forbid, forbid + count, true);
  };
  EXPECT_EQ(next(generator(settings), 20), next(generator(trio()), 20)) << "as if it were not there";
}

TEST_F(CApi, AProcessorEditsAndNonsenseIsOverruled) {
  midinf_processor processors[] = {kShortSteps, {sizeof(midinf_processor), nullptr, nullptr, nullptr}};
  midinf_settings settings = trio();
  settings.processors = processors, settings.processor_count = 2;
  processors[1].edit = [](void*, const midinf_step* step, const int32_t* ids, float* logits, size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      if (step->slot == MIDINF_SLOT_NOTE && ids[i] == kNoteBase + 60) logits[i] = 1e38F;
  };
  for (const double temperature : {1.0, 1e-5, 10.0}) {
    settings.temperature = temperature;
    for (const midinf_note& note : next(generator(settings), 10)) EXPECT_EQ(note.pitch, 60);
  }
  settings.temperature = 1;
  const Notes plain = next(generator(trio()), 20);
  using Edit = void (*)(void*, const midinf_step*, const int32_t*, float*, size_t);
  for (const Edit edit : {Edit{[](void*, const midinf_step*, const int32_t*, float* logits, size_t count) {
                            std::fill(logits, logits + count, NAN);
                          }},
                          Edit{[](void*, const midinf_step*, const int32_t*, float* logits, size_t count) {
                            std::fill(logits, logits + count, -INFINITY);
                          }},
                          Edit{[](void*, const midinf_step*, const int32_t*, float* logits, size_t count) {
                            std::fill(logits, logits + count, INFINITY);
                          }}}) {
    processors[1].edit = edit;
    EXPECT_EQ(next(generator(settings), 20), plain);
  }
}

// ---- generator

TEST_F(CApi, GeneratesTheSameFromTheSameSeed) {
  const Notes notes = next(generator(trio(3)), 100);
  EXPECT_EQ(next(generator(trio(3)), 100), notes);
  EXPECT_FALSE(next(generator(trio(4)), 100) == notes);
  for (std::size_t i = 1; i < notes.size(); ++i) {
    EXPECT_GT(notes[i].event, notes[i - 1].event);
    EXPECT_GE(notes[i].onset, notes[i - 1].onset);
    EXPECT_THAT(notes[i].instrument, testing::AnyOf(0, 33, 128));
    EXPECT_GE(notes[i].velocity, 1);
    EXPECT_LE(notes[i].velocity, 127);
  }
  for (const midinf_note& note : next(generator(trio(3), kMelody), 20)) EXPECT_GE(note.onset, 100);
}

TEST_F(CApi, RewindsSavesAndRestores) {
  const auto g = generator(trio(), kMelody);
  const Notes notes = next(g, 60);
  ASSERT_EQ(midinf_generator_rewind(g.get(), notes[20].event), MIDINF_STATUS_OK) << midinf_last_error();
  const std::string bytes = saved(g);
  EXPECT_EQ(next(g, 40), Notes(notes.begin() + 20, notes.end()));

  midinf_generator* made = nullptr;
  ASSERT_EQ(midinf_generator_restore(model_.get(), bytes.data(), bytes.size(), &made), MIDINF_STATUS_OK);
  const GeneratorPtr restored(made);
  const midinf_settings settings = trio();
  ASSERT_EQ(midinf_generator_set_settings(made, &settings), MIDINF_STATUS_OK);  // the processor was not saved
  EXPECT_EQ(next(restored, 40), Notes(notes.begin() + 20, notes.end()));

  expect_refused(midinf_generator_rewind(g.get(), 1), "event: belongs to the prompt");
  expect_refused(midinf_generator_rewind(g.get(), 1'000'000), "event", MIDINF_STATUS_NOT_FOUND);
  std::string damaged = bytes;
  damaged[damaged.size() / 2] ^= 1;
  expect_refused(midinf_generator_restore(model_.get(), damaged.data(), damaged.size(), &made), "",
                 MIDINF_STATUS_CORRUPT);
  EXPECT_EQ(midinf_generator_restore(model_.get(), "", 0, &made), MIDINF_STATUS_CORRUPT);
}

TEST_F(CApi, CancelFromAnotherThreadLosesNothing) {
  const auto g = generator(trio());
  const Notes expected = next(generator(trio()), 10);
  midinf_note note;
  midinf_generator_cancel(g.get());
  EXPECT_EQ(midinf_generator_next(g.get(), &note, nullptr), MIDINF_STATUS_CANCELLED);
  EXPECT_EQ(next(g, 10), expected);

  // A model of nothing but rests never comes to a note; nobody waits for ever.
  midinf_settings silent = trio();
  const midinf_processor rests{sizeof(midinf_processor), nullptr,
                               [](void*, const midinf_step* step, const int32_t* ids, size_t count, bool* forbid) {
                                 for (std::size_t i = 0; i < count; ++i)
                                   forbid[i] = step->slot == MIDINF_SLOT_NOTE && ids[i] != kRest;
                               },
                               nullptr};
  silent.processors = &rests;
  const auto endless = generator(silent);
  expect_refused(midinf_generator_next(endless.get(), &note, nullptr), "silence", MIDINF_STATUS_NOT_FOUND);
  std::atomic<bool> ended{false};
  std::thread thread([&] {
    midinf_note none;
    midinf_status status = MIDINF_STATUS_NOT_FOUND;
    while (status == MIDINF_STATUS_NOT_FOUND) status = midinf_generator_next(endless.get(), &none, nullptr);
    EXPECT_EQ(status, MIDINF_STATUS_CANCELLED);
    ended = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(ended);
  midinf_generator_cancel(endless.get());
  thread.join();
}

TEST_F(CApi, SaysWhatARecoveryTookBack) {
  // Everything at one instant, from the hundredth event on.
  const midinf_processor crowd{sizeof(midinf_processor), nullptr,
                               [](void*, const midinf_step* step, const int32_t* ids, size_t count, bool* forbid) {
                                 short_steps(nullptr, step, ids, count, forbid);
                                 if (step->slot != MIDINF_SLOT_ONSET || step->history_count < 100) return;
                                 for (std::size_t i = 0; i < count; ++i) forbid[i] = ids[i] > ids[0];
                               },
                               nullptr};
  midinf_settings settings = trio();
  settings.recover = true;
  settings.processors = &crowd;
  const auto g = generator(settings);
  Notes heard;
  int recoveries = 0;
  for (int i = 0; i < 900; ++i) {
    midinf_note note;
    std::uint64_t from = 0;
    ASSERT_EQ(midinf_generator_next(g.get(), &note, &from), MIDINF_STATUS_OK) << midinf_last_error();
    recoveries += from != kNone ? 1 : 0;
    std::erase_if(heard, [&](const midinf_note& old) { return old.event >= from; });
    if (!heard.empty()) {
      ASSERT_GT(note.event, heard.back().event);
      ASSERT_GE(note.onset, heard.back().onset);
    }
    heard.push_back(note);
  }
  EXPECT_GT(recoveries, 0);
}

TEST_F(CApi, ADamagedModelIsToldNotPlayed) {
  const ModelPtr damaged = load(gguf(kVocabulary, 3e38F));
  midinf_generator* made = nullptr;
  ASSERT_EQ(midinf_generator_create(damaged.get(), nullptr, nullptr, 0, &made), MIDINF_STATUS_OK);
  const GeneratorPtr g(made);
  midinf_note note;
  EXPECT_EQ(midinf_generator_next(made, &note, nullptr), MIDINF_STATUS_CORRUPT);

  const StreamPtr s = stream(trio(), damaged.get());
  bool more = false;
  EXPECT_EQ(midinf_stream_step(s.get(), &more), MIDINF_STATUS_CORRUPT);
  EXPECT_EQ(state(s).status, MIDINF_STATUS_CORRUPT);
  std::size_t count = 0;
  EXPECT_EQ(midinf_stream_pull(s.get(), 1, &note, 1, &count, nullptr), MIDINF_STATUS_CORRUPT);
}

// ---- stream

TEST_F(CApi, AStreamIsPulledInPiecesWithoutLosingANote) {
  const auto whole = stream(), pieces = stream();
  run(whole), run(pieces);
  const Notes expected = pull(whole, 3);
  ASSERT_GT(expected.size(), 10U);
  Notes heard;
  double reached = 0;
  while (true) {
    midinf_note some[2];
    std::size_t count = 0;
    double now = 0;
    ASSERT_EQ(midinf_stream_pull(pieces.get(), 3, some, 2, &count, &now), MIDINF_STATUS_OK);
    ASSERT_LE(count, 2U);
    EXPECT_GE(now, reached);
    reached = now;
    heard.insert(heard.end(), some, some + count);
    if (count < 2) break;
    EXPECT_GE(now, static_cast<double>(some[1].onset) / 100) << "the playhead does not pass what was left";
  }
  EXPECT_EQ(heard, expected);
  EXPECT_EQ(reached, 3);
  EXPECT_EQ(state(pieces).underruns, 0U);
  EXPECT_TRUE(pull(pieces, 3).empty());
  std::size_t count = 0;
  expect_refused(midinf_stream_pull(pieces.get(), kNan, nullptr, 0, &count, nullptr), "until_seconds");
}

TEST_F(CApi, ChangesAreHeardUndoneAndShown) {
  const auto s = stream();
  play(s, 0, 6);
  const Notes before = known(s);
  midinf_settings flute = trio();
  const std::int32_t flutes[] = {73};
  flute.ensemble = flutes, flute.ensemble_count = 1;
  ASSERT_EQ(midinf_stream_change(s.get(), &flute), MIDINF_STATUS_OK);
  run(s);
  for (const midinf_note& note : known(s))
    if (note.onset > 616) {
      EXPECT_EQ(note.instrument, 73);
    }
  ASSERT_EQ(midinf_stream_again(s.get(), -1), MIDINF_STATUS_OK);
  EXPECT_EQ(state(s).undo_steps, 2U);
  ASSERT_EQ(midinf_stream_undo(s.get()), MIDINF_STATUS_OK);
  ASSERT_EQ(midinf_stream_undo(s.get()), MIDINF_STATUS_OK);
  EXPECT_EQ(known(s), before);
  EXPECT_EQ(state(s).redo_steps, 2U);
  midinf_settings shown{};
  shown.struct_size = sizeof shown;
  ASSERT_EQ(midinf_stream_get_settings(s.get(), &shown), MIDINF_STATUS_OK);
  EXPECT_EQ(shown.ensemble_count, 3U);
  expect_refused(midinf_stream_undo(s.get()), "undo", MIDINF_STATUS_NOT_FOUND);
  ASSERT_EQ(midinf_stream_redo(s.get()), MIDINF_STATUS_OK);
  ASSERT_EQ(midinf_stream_get_settings(s.get(), &shown), MIDINF_STATUS_OK);
  EXPECT_EQ(shown.ensemble_count, 1U);
  ASSERT_EQ(midinf_stream_redo(s.get()), MIDINF_STATUS_OK);
  expect_refused(midinf_stream_redo(s.get()), "redo", MIDINF_STATUS_NOT_FOUND);
  const Notes all = known(s);
  const std::size_t half = all.size() / 2;
  std::size_t rest = 0;
  Notes later(all.size());
  ASSERT_EQ(midinf_stream_get_notes_from(s.get(), all[half].event, later.data(), later.size(), &rest),
            MIDINF_STATUS_OK);
  later.resize(rest);
  EXPECT_EQ(later, Notes(all.begin() + static_cast<std::ptrdiff_t>(half), all.end()));
  flute.temperature = 0.9;
  ASSERT_EQ(midinf_stream_amend(s.get(), &flute), MIDINF_STATUS_OK);
  EXPECT_EQ(state(s).undo_steps, 2U);

  ASSERT_EQ(midinf_stream_again(s.get(), 2), MIDINF_STATUS_OK);
  EXPECT_EQ(state(s).playhead_seconds, 2);
  const double here = state(s).playhead_seconds;
  ASSERT_GT(here, 0);
  ASSERT_EQ(midinf_stream_again(s.get(), -0.001), MIDINF_STATUS_OK);
  EXPECT_EQ(state(s).playhead_seconds, here) << "negative is the playhead, however small";
  expect_refused(midinf_stream_again(s.get(), 1e6), "from_seconds");
  expect_refused(midinf_stream_again(s.get(), kNan), "from_seconds");
  ASSERT_EQ(midinf_stream_seek(s.get(), 1), MIDINF_STATUS_OK);
  EXPECT_EQ(state(s).playhead_seconds, 1);
  expect_refused(midinf_stream_seek(s.get(), 1e6), "", MIDINF_STATUS_NOT_FOUND);
  expect_refused(midinf_stream_seek(s.get(), -1), "", MIDINF_STATUS_NOT_FOUND);
  expect_refused(midinf_stream_seek(s.get(), kNan), "to_seconds");
}

TEST_F(CApi, TakesAreMadeListenedToAndAccepted) {
  const auto s = stream();
  play(s, 0, 4);
  expect_refused(midinf_stream_start_takes(s.get(), 0, 2), "count");
  expect_refused(midinf_stream_start_takes(s.get(), 17, 2), "count");
  expect_refused(midinf_stream_start_takes(s.get(), 2, 0), "seconds");
  expect_refused(midinf_stream_start_takes(s.get(), 2, kNan), "seconds");
  ASSERT_EQ(midinf_stream_start_takes(s.get(), 2, 2), MIDINF_STATUS_OK);
  run(s);
  EXPECT_EQ(state(s).takes, 2U);
  midinf_take take{};
  take.struct_size = sizeof take;
  ASSERT_EQ(midinf_stream_get_take(s.get(), 1, &take), MIDINF_STATUS_OK);
  EXPECT_TRUE(take.complete);
  EXPECT_GE(take.generated_seconds, take.from_seconds + 2);
  expect_refused(midinf_stream_get_take(s.get(), 2, &take), "take", MIDINF_STATUS_NOT_FOUND);
  const Notes notes = all_notes([&](auto... out) { return midinf_stream_get_take_notes(s.get(), take.id, out...); });
  ASSERT_FALSE(notes.empty());
  std::size_t count = 0;
  expect_refused(midinf_stream_get_take_notes(s.get(), 99, nullptr, 0, &count), "take", MIDINF_STATUS_NOT_FOUND);
  expect_refused(midinf_stream_accept_take(s.get(), 99), "take", MIDINF_STATUS_NOT_FOUND);
  ASSERT_EQ(midinf_stream_accept_take(s.get(), take.id), MIDINF_STATUS_OK);
  run(s);
  const Notes after = known(s);
  EXPECT_NE(std::search(after.begin(), after.end(), notes.begin(), notes.end()), after.end());
  EXPECT_EQ(state(s).takes, 0U);
  ASSERT_EQ(midinf_stream_start_takes(s.get(), 1, 1), MIDINF_STATUS_OK);
  ASSERT_EQ(midinf_stream_drop_takes(s.get()), MIDINF_STATUS_OK);
  EXPECT_EQ(state(s).takes, 0U);
}

TEST_F(CApi, SessionsAreSavedAndOpened) {
  const auto s = stream();
  play(s, 0, 3);
  const std::string bytes = bytes_of([&](auto... out) { return midinf_stream_save(s.get(), "attached", 8, out...); });
  midinf_stream* made = nullptr;
  void* attachment = nullptr;
  std::size_t size = 0;
  ASSERT_EQ(midinf_stream_open(model_.get(), bytes.data(), bytes.size(), &made, &attachment, &size), MIDINF_STATUS_OK)
      << midinf_last_error();
  const StreamPtr opened(made);
  EXPECT_EQ(std::string(static_cast<char*>(attachment), size), "attached");
  midinf_buffer_free(attachment);
  EXPECT_EQ(known(opened), known(s));
  EXPECT_EQ(state(opened).playhead_seconds, 3);
  midinf_stream* other = nullptr;
  ASSERT_EQ(midinf_stream_open(model_.get(), bytes.data(), bytes.size(), &other, nullptr, nullptr), MIDINF_STATUS_OK);
  midinf_stream_free(other);
  std::string damaged = bytes;
  damaged[damaged.size() / 3] ^= 4;
  made = nullptr;
  expect_refused(midinf_stream_open(model_.get(), damaged.data(), damaged.size(), &made, nullptr, nullptr), "",
                 MIDINF_STATUS_CORRUPT);
  EXPECT_EQ(made, nullptr);
}

TEST_F(CApi, StreamParamsAreChecked) {
  using Change = std::function<void(midinf_stream_params&)>;
  const std::pair<const char*, Change> wrongs[] = {
      {"look_ahead_seconds", [](auto& p) { p.look_ahead_seconds = 0; }},
      {"look_ahead_seconds", [](auto& p) { p.look_ahead_seconds = kNan; }},
      {"reaction_seconds", [](auto& p) { p.reaction_seconds = -1; }},
      {"velocity", [](auto& p) { p.velocity = 128; }},
      {"prompt", [](auto& p) { p.prompt_count = 3; }},
      {"struct_size", [](auto& p) { p.struct_size = 1; }},
  };
  for (const auto& [argument, change] : wrongs) {
    midinf_stream_params params;
    midinf_stream_params_init(&params);
    change(params);
    midinf_stream* made = nullptr;
    expect_refused(midinf_stream_create(model_.get(), &params, &made), argument);
  }
  midinf_stream_params params;
  midinf_stream_params_init(&params);
  const midinf_settings settings = trio();
  params.settings = &settings;
  params.velocity = 42;
  params.prompt = kMelody.data(), params.prompt_count = 3;
  midinf_stream* made = nullptr;
  ASSERT_EQ(midinf_stream_create(model_.get(), &params, &made), MIDINF_STATUS_OK);
  const StreamPtr s(made);
  EXPECT_EQ(state(s).playhead_seconds, 1) << "the prompt's last onset";
  run(s);
  const Notes notes = known(s);
  ASSERT_GT(notes.size(), 3U);
  for (const midinf_note& note : notes) EXPECT_EQ(note.velocity, 42);
}

TEST_F(CApi, LiveControlsActAtOnce) {
  const auto plain = stream(), turned = stream();
  run(plain), run(turned);
  midinf_stream_set_transpose(turned.get(), 2);
  midinf_stream_set_velocity(turned.get(), 50);
  midinf_stream_set_muted(turned.get(), 33, true);
  midinf_stream_set_muted(turned.get(), 500, true);
  midinf_stream_set_volume(turned.get(), -3, 5);
  midinf_stream_set_volume(turned.get(), 0, 500);
  midinf_stream_set_speed(turned.get(), kNan);
  midinf_stream_panic(turned.get());
  const Notes expected = pull(plain, 3), heard = pull(turned, 3);
  std::size_t i = 0;
  for (const midinf_note& note : expected) {
    if (note.instrument == 33) continue;
    ASSERT_LT(i, heard.size());
    EXPECT_EQ(heard[i].event, note.event);
    EXPECT_EQ(heard[i].velocity, std::max(1, note.velocity / 2));
    if (note.instrument != MIDINF_DRUMS && note.pitch < 120) {
      EXPECT_EQ(heard[i].pitch, note.pitch + 2);
    }
    ++i;
  }
  EXPECT_EQ(i, heard.size());
  const double ahead = state(turned).seconds_ahead;
  midinf_stream_set_speed(turned.get(), 2);
  EXPECT_NEAR(state(turned).seconds_ahead, ahead / 2, 1e-9);
  midinf_stream_set_speed(turned.get(), INFINITY);
  EXPECT_NEAR(state(turned).seconds_ahead, ahead / 4, 1e-9);
  midinf_stream_set_playing(turned.get(), false);
  EXPECT_TRUE(pull(turned, 5).empty());
  midinf_stream_set_playing(turned.get(), true);
  EXPECT_FALSE(pull(turned, 3.9).empty());
}

TEST_F(CApi, ThreadsServeTheirStreamsAfterTheModelIsFreed) {
  ModelPtr model = load(file_);
  StreamPtr one = stream(trio(1), model.get()), two = stream(trio(2), model.get());
  model.reset();
  ASSERT_EQ(midinf_stream_start(one.get()), MIDINF_STATUS_OK) << midinf_last_error();
  ASSERT_EQ(midinf_stream_start(one.get()), MIDINF_STATUS_OK) << "again does nothing";
  ASSERT_EQ(midinf_stream_start(two.get()), MIDINF_STATUS_OK);
  expect_refused(midinf_stream_step(one.get(), nullptr), "stream");
  const auto wait = [](const StreamPtr& s, double seconds) {
    for (int i = 0; i < 3'000 && state(s).seconds_ahead < seconds; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_GE(state(s).seconds_ahead, seconds);
  };
  wait(one, 4), wait(two, 4);
  two.reset();
  pull(one, 2);
  wait(one, 4);
  midinf_stream_stop(one.get()), midinf_stream_stop(one.get());
  pull(one, 4);
  bool more = false;
  EXPECT_EQ(midinf_stream_step(one.get(), &more), MIDINF_STATUS_OK);
  EXPECT_TRUE(more);
  ASSERT_EQ(midinf_stream_start(one.get()), MIDINF_STATUS_OK) << "and on again";
  wait(one, 4);
}

// ---- player

TEST_F(CApi, APlayerPlaysWhatTheStreamKnows) {
  auto s = stream();
  run(s);
  midinf_player_params params;
  midinf_player_params_init(&params);
  params.sample_rate = 8'000;
  midinf_player* made = nullptr;
  ASSERT_EQ(midinf_player_create(s.get(), &params, &made), MIDINF_STATUS_OK) << midinf_last_error();
  PlayerPtr player(made);
  midinf_player* second = nullptr;
  expect_refused(midinf_player_create(s.get(), &params, &second), "player");
  std::size_t count = 0;
  expect_refused(midinf_stream_pull(s.get(), 1, nullptr, 0, &count, nullptr), "player");

  std::vector<std::uint64_t> on, off;
  const auto process = [&](std::size_t capacity) {
    midinf_message messages[16];
    const std::size_t written = midinf_player_process(player.get(), 80, messages, capacity);
    ASSERT_LE(written, capacity);
    for (std::size_t i = 0; i < written; ++i) {
      EXPECT_LT(messages[i].offset, 80U);
      if ((messages[i].bytes[0] & 0xF0) == 0x90) on.push_back(messages[i].event);
      if ((messages[i].bytes[0] & 0xF0) == 0x80) off.push_back(messages[i].event);
    }
  };
  for (int block = 0; block < 200; ++block) process(block % 3 == 0 ? 0 : 16);  // two seconds in blocks of 10 ms
  midinf_player_state now{};
  now.struct_size = sizeof now;
  ASSERT_EQ(midinf_player_get_state(player.get(), &now), MIDINF_STATUS_OK);
  EXPECT_NEAR(now.playhead_seconds, 2, 0.02);
  EXPECT_EQ(now.underruns, 0U);
  EXPECT_EQ(state(s).playhead_seconds, std::floor(now.playhead_seconds * 100) / 100);
  std::vector<std::uint64_t> expected;
  for (const midinf_note& note : known(s))
    if (note.onset < 195) expected.push_back(note.event);
  ASSERT_GE(on.size() + 12, expected.size());  // a key struck twice at once sounds once
  for (const std::uint64_t event : on) EXPECT_LE(event, expected.back() + 6);
  midinf_stream_set_playing(s.get(), false);
  for (int block = 0; block < 5; ++block) process(16);
  ASSERT_EQ(midinf_player_get_state(player.get(), &now), MIDINF_STATUS_OK);
  EXPECT_EQ(now.sounding, 0);
  std::sort(on.begin(), on.end()), std::sort(off.begin(), off.end());
  EXPECT_EQ(on, off);
  midinf_stream_set_playing(s.get(), true);

  // A player keeps its stream.
  s.reset();
  for (int block = 0; block < 50; ++block) process(16);
  EXPECT_GT(on.size(), off.size() / 2);
}

TEST_F(CApi, APlayerNeverWaitsForMoreThanTheStreamGenerates) {
  midinf_stream_params stream_params;
  midinf_stream_params_init(&stream_params);
  stream_params.look_ahead_seconds = 0.1;
  const midinf_settings settings = trio();
  stream_params.settings = &settings;
  midinf_stream* eager = nullptr;
  ASSERT_EQ(midinf_stream_create(model_.get(), &stream_params, &eager), MIDINF_STATUS_OK) << midinf_last_error();
  const StreamPtr s(eager);
  midinf_player_params params;
  midinf_player_params_init(&params);
  params.sample_rate = 8'000;
  params.rebuffer_ms = 60'000;
  midinf_player* made = nullptr;
  ASSERT_EQ(midinf_player_create(s.get(), &params, &made), MIDINF_STATUS_OK) << midinf_last_error();
  const PlayerPtr player(made);
  std::size_t messages = 0;
  for (int block = 0; block < 200; ++block) {
    run(s);
    midinf_message out[64];
    messages += midinf_player_process(player.get(), 80, out, 64);
  }
  EXPECT_GT(messages, 10U);
  EXPECT_GT(state(s).playhead_seconds, 1.5);
}

TEST_F(CApi, APlayerGivesTheStreamBack) {
  const auto s = stream();
  run(s);
  midinf_player* made = nullptr;
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(midinf_player_create(s.get(), nullptr, &made), MIDINF_STATUS_OK) << midinf_last_error();
    midinf_player_free(made);
  }
  EXPECT_FALSE(pull(s, 2).empty());
  midinf_player_params params;
  for (const auto& [rate, rebuffer, argument] : {std::tuple{999, 250, "sample_rate"},
                                                 {1'000'001, 250, "sample_rate"},
                                                 {48'000, -1, "rebuffer_ms"},
                                                 {48'000, 60'001, "rebuffer_ms"}}) {
    midinf_player_params_init(&params);
    params.sample_rate = rate, params.rebuffer_ms = rebuffer;
    expect_refused(midinf_player_create(s.get(), &params, &made), argument);
  }
  EXPECT_EQ(state(s).playhead_seconds, 2);
}

}  // namespace
}  // namespace midinf

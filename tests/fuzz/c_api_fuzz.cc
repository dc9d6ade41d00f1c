// libFuzzer: any bytes as a program that calls the C API, on a tiny random network, with and without its thread, with
// an audio callback on another one. No sequence of calls crashes, hangs or is a bug of ours; what comes out is valid.
// Seeds: corpus/c_api. Read next: include/midinfinite/midinfinite.h.
#include <midinfinite/midinfinite.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "model/convert.h"
#include "model/random_checkpoint.h"
#include "tokens/vocabulary.h"

namespace {

constexpr std::size_t kObjects = 3;  // of each kind at once
constexpr int kMostCalls = 60;
constexpr int kMostIds = 400;  // drawn in one run

// The bytes as numbers; 0 when they have run out.
class Choices {
 public:
  Choices(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  [[nodiscard]] bool left() const { return at_ < size_; }
  std::uint8_t byte() { return left() ? data_[at_++] : std::uint8_t{0}; }
  std::size_t below(std::size_t n) { return byte() % n; }
  bool coin() { return (byte() & 1) != 0; }
  // Mostly within lowest..highest, now and then what nobody expects.
  double real(double lowest, double highest) {
    const std::uint8_t b = byte();
    switch (b) {
      case 255:
        return std::numeric_limits<double>::quiet_NaN();
      case 254:
        return std::numeric_limits<double>::infinity();
      case 253:
        return -1e300;
      case 252:
        return 1e18;
      case 251:
        return -1;
      default:
        return lowest + (highest - lowest) * b / 250;
    }
  }
  std::int32_t integer(std::int32_t lowest, std::int32_t highest) {
    const std::uint8_t b = byte();
    if (b == 255) return std::numeric_limits<std::int32_t>::min();
    if (b == 254) return std::numeric_limits<std::int32_t>::max();
    return lowest + (highest - lowest + 1) * b / 254;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

const std::vector<char>& model_file() {
  static const std::vector<char> bytes = [] {
    const midinf::RandomCheckpoint checkpoint(
        {.layers = 1, .heads = 1, .width = 8, .context = midinf::kContext, .vocabulary = midinf::kVocabulary}, 1);
    const auto path = std::filesystem::temp_directory_path() /
                      ("c_api_fuzz-" + std::to_string(std::hash<std::thread::id>{}(std::this_thread::get_id())) + "-" +
                       std::to_string(reinterpret_cast<std::uintptr_t>(&checkpoint)) + ".gguf");
    midinf::ConvertOptions options;
    options.type = midinf::DType::kF32;
    MIDINF_ASSERT(midinf::convert(checkpoint, path.string(), options).has_value());
    std::ifstream in(path, std::ios::binary);
    std::vector<char> read{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    in.close();
    std::filesystem::remove(path);
    return read;
  }();
  return bytes;
}

// The one that most runs use: loading takes longer than everything else.
midinf_model* shared_model() {
  static midinf_model* const model = [] {
    midinf_model_params params;
    midinf_model_params_init(&params);
    params.threads = 1;
    midinf_model* loaded = nullptr;
    MIDINF_ASSERT(midinf_model_load_memory(model_file().data(), model_file().size(), &params, &loaded) ==
                  MIDINF_STATUS_OK);
    return loaded;
  }();
  return model;
}

// Pure processors; `user` says which.
void forbid_some(void* user, const midinf_step* step, const std::int32_t* ids, std::size_t count, bool* forbid) {
  MIDINF_ASSERT(step->history_count <= 1024 && step->window_events <= step->history_count + 1024);
  const auto kind = *static_cast<const std::uint8_t*>(user);
  for (std::size_t i = 0; i < count; ++i) {
    MIDINF_ASSERT(ids[i] >= 0 && ids[i] < midinf::kVocabulary && (i == 0 || ids[i] > ids[i - 1]));
    forbid[i] = kind == 255 || static_cast<std::uint8_t>(ids[i] * 37 + kind) < kind;
  }
}
void edit_some(void* user, const midinf_step*, const std::int32_t* ids, float* logits, std::size_t count) {
  const auto kind = *static_cast<const std::uint8_t*>(user);
  constexpr std::array kOdd{INFINITY, -INFINITY, NAN, 3e38F, -3e38F, 0.0F};
  for (std::size_t i = 0; i < count; ++i)
    if (kind > 200 || (ids[i] + kind) % 5 == 0)
      logits[i] = kOdd[(static_cast<std::size_t>(ids[i]) + kind) % kOdd.size()];
}

void check_note(const midinf_note& note) {
  MIDINF_ASSERT(note.onset >= 0 && note.duration >= 0 && note.instrument <= MIDINF_DRUMS && note.pitch < 128);
  MIDINF_ASSERT(note.velocity >= 1 && note.velocity <= 127);
}

bool ok(midinf_status status) {
  MIDINF_ASSERT(status >= MIDINF_STATUS_OK && status < MIDINF_STATUS_INTERNAL);
  if (status != MIDINF_STATUS_OK) MIDINF_ASSERT(*midinf_last_error() != 0);
  return status == MIDINF_STATUS_OK;
}

class Program {
 public:
  explicit Program(Choices choices) : choose_(choices) {}
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    end_audio();
    const bool players_first = choose_.coin();
    for (std::size_t i = 0; i < kObjects; ++i) {
      if (players_first) midinf_player_free(players_[i]);
      midinf_stream_free(streams_[i]);
      if (!players_first) midinf_player_free(players_[i]);
      midinf_generator_free(generators_[i]);
      midinf_model_free(models_[i]);
    }
  }

  void run() {
    for (int i = 0; i < kMostCalls && choose_.left(); ++i) call();
  }

 private:
  midinf_model* model() {
    midinf_model* own = models_[choose_.below(kObjects)];
    return own != nullptr ? own : choose_.byte() == 255 ? nullptr : shared_model();
  }

  // What `settings` points to, kept until the run ends.
  const midinf_settings* settings() {
    if (choose_.byte() > 240) return nullptr;
    Kept& kept = kept_[kept_count_++];  // at most one a call
    midinf_settings s;
    midinf_settings_init(&s);
    s.seed = choose_.byte();
    const std::uint8_t which = choose_.byte();
    if (which & 1) s.temperature = choose_.real(0, 3);
    if (which & 2) s.top_p = choose_.real(0, 1), s.top_k = choose_.integer(0, 40);
    if (which & 4) s.instrument_cap = choose_.integer(0, 4), s.polyphony = choose_.integer(0, 6);
    if (which & 8) s.density = choose_.real(0, 3), s.frequency_penalty = choose_.real(-2, 2);
    if (which & 16) s.scale = static_cast<std::uint16_t>(choose_.byte() << 4 | choose_.byte());
    if (which & 32) {
      for (std::size_t n = choose_.below(4); n > 0; --n) kept.ensemble.push_back(choose_.integer(0, 128));
      s.ensemble = kept.ensemble.data(), s.ensemble_count = kept.ensemble.size();
      kept.range = {choose_.integer(0, 128), choose_.integer(0, 127), choose_.integer(0, 127)};
      if (choose_.coin()) s.pitch_ranges = &kept.range, s.pitch_range_count = 1;
    }
    if (which & 64) {
      kept.kind = choose_.byte();
      kept.processor = {sizeof kept.processor, &kept.kind, forbid_some, choose_.coin() ? edit_some : nullptr};
      s.processors = &kept.processor, s.processor_count = 1;
    }
    s.recover = (which & 128) == 0;
    if (choose_.byte() == 255) s.struct_size = choose_.byte();
    kept.settings = s;
    return &kept.settings;
  }

  std::vector<midinf_note> notes() {
    std::vector<midinf_note> notes(choose_.below(6));
    for (midinf_note& note : notes) {
      note = {};
      note.onset = choose_.integer(0, 600), note.duration = choose_.integer(0, 200);
      note.instrument = choose_.byte() % 130, note.pitch = choose_.byte() % 129, note.velocity = choose_.byte() % 129;
    }
    return notes;
  }

  // A save of this run, perhaps damaged.
  std::vector<std::uint8_t> saved() {
    std::vector<std::uint8_t> bytes = saved_;
    if (!bytes.empty() && choose_.byte() > 200) bytes[choose_.byte() * bytes.size() / 256] ^= choose_.byte();
    return bytes;
  }
  void keep(void* bytes, std::size_t size) {
    const auto* begin = static_cast<const std::uint8_t*>(bytes);
    saved_.assign(begin, begin + size);
    midinf_buffer_free(bytes);
  }

  void end_audio() {
    if (audio_.joinable()) audio_.join();
  }
  // An audio callback on a thread of its own, for a while.
  void begin_audio(midinf_player* player, int blocks, std::uint32_t frames, std::size_t capacity) {
    end_audio();
    audio_ = std::thread([=] {
      std::vector<midinf_message> messages(capacity);
      for (int i = 0; i < blocks; ++i) {
        const std::size_t count = midinf_player_process(player, frames, messages.data(), capacity);
        MIDINF_ASSERT(count <= capacity);
        for (std::size_t m = 0; m < count; ++m) {
          const midinf_message& message = messages[m];
          MIDINF_ASSERT(message.offset <= frames && (message.size == 2 || message.size == 3));
          MIDINF_ASSERT(message.bytes[0] >= 0x80 && message.bytes[0] < 0xF0 && message.bytes[1] < 128);
          MIDINF_ASSERT(m == 0 || message.offset >= messages[m - 1].offset);
        }
      }
    });
  }

  void call() {
    // In statements of their own, so that every compiler reads the bytes in the same order.
    const std::size_t what = choose_.below(34), i = choose_.below(kObjects);
    midinf_generator*& generator = generators_[i];
    midinf_stream*& stream = streams_[i];
    midinf_player*& player = players_[i];
    switch (what) {
      case 0: {
        midinf_model*& m = models_[i];
        if (m != nullptr || loads_++ > 0) return midinf_model_free(std::exchange(m, nullptr));
        midinf_model_params params;
        midinf_model_params_init(&params);
        params.threads = choose_.integer(0, 2);
        const std::size_t size = model_file().size();
        ok(midinf_model_load_memory(model_file().data(), choose_.byte() > 200 ? size * choose_.byte() / 256 : size,
                                    &params, &m));
        return;
      }
      case 1: {
        midinf_generator_free(std::exchange(generator, nullptr));
        const auto prompt = notes();
        midinf_model* m = model();
        ok(midinf_generator_create(m, settings(), prompt.data(), prompt.size(), &generator));
        return;
      }
      case 2: {
        for (std::size_t n = choose_.below(8); n > 0 && ids_ < kMostIds; --n, ids_ += 3) {
          midinf_note note{};
          std::uint64_t taken_back_from = 0;
          if (ok(midinf_generator_next(generator, &note, choose_.coin() ? &taken_back_from : nullptr)))
            check_note(note);
        }
        return;
      }
      case 3:
        ok(midinf_generator_rewind(generator, choose_.byte()));
        return;
      case 4:
        ok(midinf_generator_set_settings(generator, settings()));
        return;
      case 5:
        midinf_generator_cancel(generator);
        return;
      case 6: {
        void* bytes = nullptr;
        std::size_t size = 0;
        if (ok(midinf_generator_save(generator, &bytes, &size))) keep(bytes, size);
        return;
      }
      case 7: {
        midinf_generator_free(std::exchange(generator, nullptr));
        const auto bytes = saved();
        ok(midinf_generator_restore(model(), bytes.data(), bytes.size(), &generator));
        return;
      }
      case 8:
      case 9: {
        if (choose_.coin()) end_audio(), midinf_player_free(std::exchange(player, nullptr));
        midinf_stream_free(std::exchange(stream, nullptr));
        midinf_stream_params params;
        midinf_stream_params_init(&params);
        params.look_ahead_seconds = choose_.real(0.1, 5);
        params.reaction_seconds = choose_.real(0, 1);
        params.velocity = choose_.integer(0, 127);
        params.settings = settings();
        const auto prompt = notes();
        params.prompt = prompt.data(), params.prompt_count = prompt.size();
        midinf_model* m = model();
        ok(midinf_stream_create(m, choose_.byte() > 250 ? nullptr : &params, &stream));
        return;
      }
      case 10:
      case 11:
        ok(midinf_stream_start(stream));
        return;
      case 12:
        midinf_stream_stop(stream);
        return;
      case 13:
      case 14:
      case 15: {
        bool more = true;
        for (std::size_t n = choose_.below(40); n > 0 && more && ids_ < kMostIds; --n, ++ids_)
          if (!ok(midinf_stream_step(stream, &more))) return;
        return;
      }
      case 16:
      case 17: {
        std::vector<midinf_note> out(choose_.below(20));
        std::size_t count = 0;
        double reached = 0;
        if (!ok(midinf_stream_pull(stream, choose_.real(0, 8), out.data(), out.size(), &count, &reached))) return;
        for (std::size_t n = 0; n < std::min(count, out.size()); ++n) check_note(out[n]);
        return;
      }
      case 18: {
        midinf_stream_state state{};
        state.struct_size = sizeof state;
        ok(midinf_stream_get_state(stream, &state));
        return;
      }
      case 19: {
        std::vector<midinf_note> out(choose_.below(50));
        std::size_t count = 0;
        if (ok(midinf_stream_get_notes(stream, out.data(), out.size(), &count)))
          for (std::size_t n = 0; n < std::min(count, out.size()); ++n) check_note(out[n]);
        return;
      }
      case 20:
      case 21:
        ok(choose_.coin() ? midinf_stream_change(stream, settings()) : midinf_stream_amend(stream, settings()));
        return;
      case 22:
        ok(midinf_stream_again(stream, choose_.coin() ? -1 : choose_.real(0, 8)));
        return;
      case 23:
        ok(midinf_stream_undo(stream));
        return;
      case 24:
        ok(midinf_stream_redo(stream));
        return;
      case 25:
        ok(midinf_stream_seek(stream, choose_.real(0, 8)));
        return;
      case 26: {
        const std::int32_t count = choose_.integer(1, 3);
        ok(midinf_stream_start_takes(stream, count, choose_.real(0.1, 2)));
        return;
      }
      case 27: {
        midinf_take take{};
        take.struct_size = sizeof take;
        if (!ok(midinf_stream_get_take(stream, choose_.below(4), &take))) return;
        std::array<midinf_note, 10> out;
        std::size_t count = 0;
        ok(midinf_stream_get_take_notes(stream, take.id, out.data(), out.size(), &count));
        if (choose_.coin())
          ok(choose_.coin() ? midinf_stream_accept_take(stream, take.id) : midinf_stream_drop_takes(stream));
        return;
      }
      case 28: {
        midinf_stream_set_playing(stream, choose_.byte() > 60);
        midinf_stream_set_speed(stream, choose_.real(0.25, 4));
        midinf_stream_set_transpose(stream, choose_.integer(-36, 36));
        midinf_stream_set_velocity(stream, choose_.integer(0, 200));
        const std::int32_t instrument = choose_.integer(0, 128);
        midinf_stream_set_volume(stream, instrument, choose_.integer(0, 127));
        midinf_stream_set_muted(stream, instrument, choose_.coin());
        if (choose_.coin()) midinf_stream_panic(stream);
        return;
      }
      case 29: {
        void* bytes = nullptr;
        std::size_t size = 0;
        if (ok(midinf_stream_save(stream, "abc", choose_.below(4), &bytes, &size))) keep(bytes, size);
        return;
      }
      case 30: {
        midinf_stream_free(std::exchange(stream, nullptr));
        const auto bytes = saved();
        void* attachment = nullptr;
        std::size_t size = 0;
        midinf_model* m = model();
        ok(midinf_stream_open(m, bytes.data(), bytes.size(), &stream, choose_.coin() ? &attachment : nullptr, &size));
        midinf_buffer_free(attachment);
        return;
      }
      case 31: {
        end_audio();
        midinf_player_free(std::exchange(player, nullptr));
        midinf_player_params params;
        midinf_player_params_init(&params);
        params.sample_rate = choose_.integer(1'000, 96'000);
        params.rebuffer_ms = choose_.integer(0, 500);
        ok(midinf_player_create(stream, choose_.coin() ? &params : nullptr, &player));
        return;
      }
      case 32: {
        const int blocks = 1 + choose_.byte() / 2;
        const std::uint32_t frames = choose_.byte() * 16;
        const std::size_t capacity = choose_.below(65);
        begin_audio(player, blocks, frames, capacity);
        if (choose_.coin()) end_audio();
        return;
      }
      case 33: {
        midinf_player_state state{};
        state.struct_size = sizeof state;
        ok(midinf_player_get_state(player, &state));
        midinf_settings shown{};
        shown.struct_size = sizeof shown;
        ok(midinf_stream_get_settings(stream, &shown));
        return;
      }
    }
  }

  struct Kept {
    midinf_settings settings{};
    std::vector<std::int32_t> ensemble;
    midinf_pitch_range range{};
    midinf_processor processor{};
    std::uint8_t kind = 0;
  };

  Choices choose_;
  std::array<midinf_model*, kObjects> models_{};
  std::array<midinf_generator*, kObjects> generators_{};
  std::array<midinf_stream*, kObjects> streams_{};
  std::array<midinf_player*, kObjects> players_{};
  std::array<Kept, kMostCalls> kept_;
  std::size_t kept_count_ = 0;
  std::vector<std::uint8_t> saved_;
  std::thread audio_;
  int ids_ = 0;
  int loads_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Program(Choices(data, size)).run();
  return 0;
}

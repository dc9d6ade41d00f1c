// A rule of one's own: music in which one pitch class is never played. usage: no_pitch_class MODEL.gguf [CLASS [NOTES]]
#include <array>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <midinfinite/midinfinite.hpp>

namespace {

constexpr std::array kNames{"C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"};

int pitch_class(int key) {
  return key % 12;
}

// Forbids every note id of that class, drums aside: note ids are 11000 + 128 · instrument + key.
class NoPitchClass : public midinfinite::Processor {
 public:
  explicit NoPitchClass(int forbidden) : forbidden_(forbidden) {}

  void narrow(const midinfinite::Step& step, std::span<const std::int32_t> ids, std::span<bool> forbid) const override {
    if (step.slot != MIDINF_SLOT_NOTE) return;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const int instrument = (ids[i] - 11000) / 128, key = (ids[i] - 11000) % 128;
      if (instrument < midinfinite::kDrums && pitch_class(key) == forbidden_) forbid[i] = true;
    }
  }

 private:
  int forbidden_;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::cerr << "usage: no_pitch_class MODEL.gguf [CLASS 0..11 [NOTES]]\n";
    return 2;
  }
  const int forbidden = argc > 2 ? pitch_class(std::abs(std::atoi(argv[2]))) : 0;
  const int wanted = argc > 3 ? std::atoi(argv[3]) : 200;

  const midinfinite::Model model(argv[1]);
  midinfinite::Settings settings;
  settings.processors.push_back(std::make_shared<NoPitchClass>(forbidden));
  midinfinite::Generator generator(model, settings);

  std::array<int, 12> played{};
  for (int notes = 0; notes < wanted;) {
    const midinfinite::Note note = generator.next().note;
    if (note.instrument == midinfinite::kDrums) continue;
    ++played[static_cast<std::size_t>(pitch_class(note.pitch))];
    ++notes;
  }
  for (std::size_t i = 0; i < played.size(); ++i) std::cout << kNames[i] << ' ' << played[i] << '\n';
  const bool obeyed = played[static_cast<std::size_t>(forbidden)] == 0;
  std::cout << wanted << " notes, " << (obeyed ? "none of them " : "some of them ")
            << kNames[static_cast<std::size_t>(forbidden)] << '\n';
  return obeyed ? 0 : 1;
} catch (const std::exception& failure) {
  std::cerr << "no_pitch_class: " << failure.what() << '\n';
  return 1;
}

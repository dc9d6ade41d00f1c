// Runs a fuzz target over a folder of inputs, and the folders in it, without libFuzzer: each file whole, cut short, and
// with bytes changed by a fixed rule. A crash names the input on standard error. Read next: the *_fuzz.cc beside it.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kCuts = 64;          // of one file
constexpr std::size_t kChanges = 200;      // of one file
constexpr std::size_t kLargest = 1 << 16;  // larger files are run whole only

int runs = 0;

void run(const Bytes& input) {
  // An exact copy on the heap, so that a read past its end is seen by a sanitizer.
  const Bytes copy(input.begin(), input.end());
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
  ++runs;
}

void run_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const Bytes whole{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  std::fprintf(stderr, "%s\n", path.filename().c_str());
  run(whole);
  if (whole.empty() || whole.size() > kLargest) return;
  for (std::size_t cut = 0; cut < kCuts; ++cut) {
    const auto size = static_cast<std::ptrdiff_t>(whole.size() * cut / kCuts);
    run(Bytes(whole.begin(), whole.begin() + size));
  }
  std::mt19937 random(1);  // the same changes every time
  for (std::size_t change = 0; change < kChanges; ++change) {
    Bytes changed = whole;
    for (std::size_t bytes = 1 + random() % 4; bytes > 0; --bytes)
      changed[random() % changed.size()] = static_cast<std::uint8_t>(random());
    run(changed);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
    return 2;
  }
  run({});
  for (int byte = 0; byte < 256; ++byte) run({static_cast<std::uint8_t>(byte)});
  std::set<std::filesystem::path> files;  // in a fixed order
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[1], error))
    if (entry.is_regular_file()) files.insert(entry.path());
  if (files.empty()) {
    std::fprintf(stderr, "%s holds no input: a fuzzer needs seeds\n", argv[1]);
    return 1;
  }
  for (const auto& file : files) run_file(file);
  std::printf("%d inputs from %d files\n", runs, static_cast<int>(files.size()));
  return 0;
}

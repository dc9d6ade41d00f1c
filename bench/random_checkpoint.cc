// For measuring speed without weights to download: a GGUF file of a published shape, random numbers in float16.
//   random_checkpoint small|medium OUT.gguf
// `midinfinite convert` makes the other types of it. The music is noise; `midinfinite bench --notes-per-second` holds
// it to a tempo. Memory: small 0.5 GB, medium 1.5 GB. Read next: model/random_checkpoint.h, bench/run.
#include "model/random_checkpoint.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

#include "model/convert.h"

namespace {

// As published; the vocabulary and the context are AMT's.
std::optional<midinf::Gpt2Config> shape_called(std::string_view name) {
  midinf::Gpt2Config shape{.context = 1'024, .vocabulary = 55'028};
  if (name == "small")
    shape.layers = 12, shape.heads = 12, shape.width = 768;
  else if (name == "medium")
    shape.layers = 24, shape.heads = 16, shape.width = 1'024;
  else
    return std::nullopt;
  return shape;
}

}  // namespace

int main(int argc, char** argv) {
  const auto shape = argc == 3 ? shape_called(argv[1]) : std::nullopt;
  if (!shape) {
    fmt::print(stderr, "usage: random_checkpoint small|medium OUT.gguf\n");
    return 2;
  }
  const midinf::ConvertOptions options{
      .type = midinf::DType::kF16,
      .metadata = {{"general.name", midinf::GgufValue(fmt::format("{}, random weights", argv[1]))}},
      .progress = {}};
  const auto done = midinf::convert(midinf::RandomCheckpoint(*shape, 1), std::string(argv[2]), options);
  if (!done) fmt::print(stderr, "random_checkpoint: {}\n", done.error().to_string());
  return done ? 0 : 1;
}

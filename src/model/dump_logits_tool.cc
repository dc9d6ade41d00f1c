// For cross-checks with other runtimes: writes a network's raw logits for a row of ids.
//   dump_logits MODEL IDS OUT [--reference]
// IDS holds little-endian uint16; OUT gets float32 [ids, vocabulary], the logits for the id after each. --reference
// computes with forward_reference.cc, else with the kernels that a program would choose here. Read next:
// bench/llama_cpp/check.sh.
#include <fmt/format.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "base/file.h"
#include "model/forward.h"
#include "model/forward_reference.h"

namespace midinf {
namespace {

Result<std::vector<TokenId>> read_ids(const std::string& path, const Gpt2Config& config) {
  MIDINF_TRY_ASSIGN(bytes, read_file(path, 1 << 20));
  std::vector<TokenId> ids(bytes.size() / 2);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    std::uint16_t id = 0;
    std::memcpy(&id, bytes.data() + 2 * i, sizeof id);
    ids[i] = id;
    if (ids[i] >= config.vocabulary) return fail(ErrorCode::kInvalidArgument, fmt::format("{} is no id", id), path);
  }
  if (ids.empty() || ids.size() > static_cast<std::size_t>(config.context))
    return fail(ErrorCode::kInvalidArgument, fmt::format("1 to {} ids are possible", config.context), path);
  return ids;
}

Result<void> dump(const std::string& model, const std::string& ids_path, const std::string& out, bool reference) {
  MIDINF_TRY_ASSIGN(checkpoint, open_checkpoint(model));
  MIDINF_TRY_ASSIGN(ids, read_ids(ids_path, checkpoint->config()));
  const int vocabulary = checkpoint->config().vocabulary;
  const RowRanges all{{0, vocabulary}};
  if (reference) {
    MIDINF_TRY_ASSIGN(network, ReferenceNetwork::load(*checkpoint));
    return write_file_whole(out, [&, &plain = network, &row = ids](FileWriter& writer) -> Result<void> {
      for (const TokenId id : row) {
        plain.read(id);
        MIDINF_TRY(writer.write(std::as_bytes(std::span<const float>(plain.logits(all)))));
      }
      return {};
    });
  }
  MIDINF_TRY_ASSIGN(kernels, select_kernels());
  MIDINF_TRY_ASSIGN(network, Network::load(*checkpoint, *kernels, {.exact = true}));
  Decoder decoder(network, std::make_shared<ComputePool>(default_thread_count()));
  const auto width = static_cast<std::size_t>(checkpoint->config().width);
  const auto hidden = decoder.read_from_start(ids);
  return write_file_whole(out, [&, count = ids.size()](FileWriter& writer) -> Result<void> {
    std::vector<float> logits(static_cast<std::size_t>(vocabulary));
    for (std::size_t i = 0; i < count; ++i) {
      decoder.head(hidden.subspan(i * width, width), 1, all, logits);
      MIDINF_TRY(writer.write(std::as_bytes(std::span<const float>(logits))));
    }
    return {};
  });
}

}  // namespace
}  // namespace midinf

int main(int argc, char** argv) {
  const bool reference = argc == 5 && std::string(argv[4]) == "--reference";
  if (argc != 4 && !reference) {
    fmt::print(stderr, "usage: dump_logits MODEL IDS OUT [--reference]\n");
    return 2;
  }
  const auto done = midinf::dump(argv[1], argv[2], argv[3], reference);
  if (!done) fmt::print(stderr, "dump_logits: {}\n", done.error().to_string());
  return done ? 0 : 1;
}

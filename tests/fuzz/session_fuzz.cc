// libFuzzer: any bytes as a saved generator or session, with their checksums made right so that what lies behind them
// is reached: refused, or music that goes on and is saved again. Seeds: corpus/session, saved on a random network. Read
// next: src/stream/saved.h, stream_saved.cc, generator_saved.cc.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "model/random_checkpoint.h"
#include "stream/saved.h"
#include "stream/stream.h"
#include "tokens/vocabulary.h"

namespace {

using namespace midinf;
using Bytes = std::vector<std::byte>;

constexpr std::size_t kHead = 12;  // magic, version
constexpr std::size_t kChecksum = 4;
constexpr int kSteps = 4;  // ids drawn from what was opened

template <class T>
T number_at(std::span<const std::byte> bytes, std::size_t at) {
  T value{};
  if (at <= bytes.size() && sizeof value <= bytes.size() - at) std::memcpy(&value, &bytes[at], sizeof value);
  return value;
}

void fix_checksum(std::span<std::byte> bytes) {
  if (bytes.size() < kHead + kChecksum) return;
  const std::uint32_t sum = crc32(bytes.first(bytes.size() - kChecksum));
  std::memcpy(&bytes[bytes.size() - kChecksum], &sum, kChecksum);
}

// Of the blob whose length stands at `at`; returns where it ends.
std::size_t fix_blob(std::span<std::byte> bytes, std::size_t at) {
  const auto size = number_at<std::uint64_t>(bytes, at);
  at += sizeof size;
  if (at > bytes.size() || size > bytes.size() - at) return bytes.size();
  fix_checksum(bytes.subspan(at, static_cast<std::size_t>(size)));
  return at + static_cast<std::size_t>(size);
}

// The generators within a session, then the session (the fields are those of Stream::save).
void fix_session(std::span<std::byte> bytes) {
  std::size_t at = fix_blob(bytes, kHead) + 4 * 8 + 4 + 8 + 4 + 4;
  const auto takes = number_at<std::uint64_t>(bytes, at);
  at += sizeof takes;
  for (std::uint64_t i = 0; i < takes && at < bytes.size(); ++i) at = fix_blob(bytes, at + 4 + 3 * 8);
  fix_checksum(bytes);
}

std::shared_ptr<const Network> network() {
  static const auto loaded = *Network::load(
      RandomCheckpoint({.layers = 1, .heads = 1, .width = 8, .context = kContext, .vocabulary = kVocabulary}, 1),
      *available_kernels().front());
  return loaded;
}

void open_generator(std::span<const std::byte> bytes) {
  auto generator = Generator::restore(bytes);
  if (!generator) {
    MIDINF_ASSERT(!generator.error().message.empty());
    return;
  }
  static Decoder decoder(network(), std::make_shared<ComputePool>(1));
  for (int i = 0; i < kSteps; ++i) {
    const LogitRequest request = generator->request();
    generator->accept(decoder.logits(request.context, request.rows));
  }
  const Bytes saved = generator->save();
  const auto again = Generator::restore(saved);
  MIDINF_ASSERT(again && again->save() == saved);
  generator->rewind(generator->end_index() / 2);
  MIDINF_ASSERT(Generator::restore(generator->save()).has_value());
}

void open_session(std::span<const std::byte> bytes) {
  static const auto pool = std::make_shared<ComputePool>(1);
  Bytes attachment;
  auto stream = Stream::open(bytes, network(), pool, &attachment);
  if (!stream) {
    MIDINF_ASSERT(!stream.error().message.empty());
    return;
  }
  static_cast<void>((*stream)->notes());
  for (const TakeInfo& take : (*stream)->takes()) static_cast<void>((*stream)->take_notes(take.id));
  for (int i = 0; i < kSteps && (*stream)->step(); ++i) {
  }
  (*stream)->pull((*stream)->playhead() + Ticks10ms(100));
  const Bytes saved = (*stream)->save(attachment);
  auto again = Stream::open(saved, network(), pool);
  MIDINF_ASSERT(again && (*again)->save(attachment) == saved);
  (*again)->again(Ticks10ms(0));
  (*again)->undo();
  if (const auto takes = (*again)->takes(); !takes.empty()) (*again)->accept_take(takes.front().id);
  (*again)->start_takes(1, Seconds(1));
  (*again)->step();
  MIDINF_ASSERT(Stream::open((*again)->save(), network(), pool).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  Bytes bytes(begin, begin + size);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.starts_with("MIDINFGE")) {
    fix_checksum(bytes);
    open_generator(bytes);
  } else {
    fix_session(bytes);
    open_session(bytes);
  }
  return 0;
}

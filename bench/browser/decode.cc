// `midinfinite bench`'s decoding, for a page: the product's layers behind ids instead of music. Built for
// bench/compare-browser and for nothing else. Read next: ours.mjs, which calls this; apps/cli/bench_measure.h.
#include <emscripten/bind.h>
#include <emscripten/val.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bench_measure.h"
#include "model/gguf_checkpoint.h"
#include "terminal.h"

using emscripten::val;

namespace midinf::cli {

bool interrupted() {
  return false;  // for make_music.cc, which looks
}

namespace {

constexpr int kContext = 512;

template <class T>
T or_throw(Result<T> result) {
  if (!result) val::global("Error").new_(result.error().to_string()).throw_();
  return *std::move(result);
}

class Ids {
 public:
  // From `size` bytes at `address`, which the caller frees.
  Ids(std::uintptr_t address, std::size_t size, int threads)
      : network_(load(std::span(reinterpret_cast<const std::byte*>(address), size))),
        decoder_(network_, shared_compute_pool(threads)),
        allowed_(requests_at(kContext)),
        whole_(allowed_) {
    for (KeptRequest& request : whole_) request.rows = whole_head();
  }

  [[nodiscard]] std::string kernels() const { return std::string(network_->kernels().name); }

  // Logits after `ids`; all but the last eight are read at once.
  val logits(const val& ids) {
    const auto all = emscripten::convertJSArrayToNumberVector<TokenId>(ids);
    std::span<const float> logits;
    for (std::size_t count = all.size() - 8; count <= all.size(); ++count)
      logits = decoder_.logits(std::span(all).first(count), whole_head());
    return val(emscripten::typed_memory_view(logits.size(), logits.data())).call<val>("slice");
  }
  // Ids a second.
  double decode(bool whole) {
    const std::vector<KeptRequest>& requests = whole ? whole_ : allowed_;
    return kIdsTimed / time_decode(decoder_, requests);
  }

 private:
  static std::shared_ptr<const Network> load(std::span<const std::byte> file) {
    const auto checkpoint = or_throw(gguf_checkpoint(file, nullptr));
    return or_throw(Network::load(*checkpoint, *or_throw(select_kernels())));
  }
  [[nodiscard]] RowRanges whole_head() const { return {{0, network_->config().vocabulary}}; }

  std::shared_ptr<const Network> network_;
  Decoder decoder_;
  std::vector<KeptRequest> allowed_, whole_;
};

}  // namespace
}  // namespace midinf::cli

EMSCRIPTEN_BINDINGS(decode) {
  using midinf::cli::Ids;
  emscripten::class_<Ids>("Ids")
      .constructor<std::uintptr_t, std::size_t, int>()
      .function("kernels", &Ids::kernels)
      .function("logits", &Ids::logits)
      .function("decode", &Ids::decode);
}

// libFuzzer: any text is triplets or an error that names a line, and triplets are the same once written and read again.
// Read next: src/tokens/triplet_text.cc.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "tokens/triplet_text.h"
#include "tokens/triplets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace midinf;
  const auto triplets = triplets_from_text({reinterpret_cast<const char*>(data), size});
  if (!triplets) {
    MIDINF_ASSERT(triplets.error().where.starts_with("line ") && triplets.error().message.size() < 400);
    return 0;
  }
  MIDINF_ASSERT(*triplets == triplets_from_text(to_text(*triplets)));
  MIDINF_ASSERT(*triplets == triplets_from_ids(flatten(*triplets)));
  for (const Note& note : to_notes(*triplets)) MIDINF_ASSERT(note.onset.count() <= kMaxSongSteps);
  return 0;
}

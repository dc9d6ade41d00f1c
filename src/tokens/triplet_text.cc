#include "tokens/triplet_text.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <iterator>
#include <optional>

#include "tokens/triplets.h"

namespace midinf {
namespace {

constexpr std::string_view kBlank = " \t\r";

// The numbers of a line, if they are three.
std::optional<Triplet> parse(std::string_view line) {
  std::array<TokenId, 3> ids{};
  for (TokenId& id : ids) {
    line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
    const auto [stop, error] = std::from_chars(line.data(), line.data() + line.size(), id);
    line.remove_prefix(static_cast<std::size_t>(stop - line.data()));
    if (error != std::errc() || (!line.empty() && kBlank.find(line.front()) == kBlank.npos)) return std::nullopt;
  }
  if (line.find_first_not_of(kBlank) != line.npos) return std::nullopt;
  return Triplet{ids[0], ids[1], ids[2]};
}

}  // namespace

std::string to_text(std::span<const Triplet> triplets) {
  std::string text;
  for (const Triplet& t : triplets) fmt::format_to(std::back_inserter(text), "{} {} {}\n", t.onset, t.duration, t.note);
  return text;
}

Result<std::vector<Triplet>> triplets_from_text(std::string_view text) {
  std::vector<Triplet> triplets;
  TripletCheck check;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::string_view content = line.substr(0, line.find('#'));
    if (content.find_first_not_of(kBlank) == content.npos) continue;
    const auto where = [&] { return fmt::format("line {}", number); };
    const auto triplet = parse(content);
    if (!triplet) {
      constexpr std::size_t kShown = 40;
      return fail(ErrorCode::kCorrupt,
                  fmt::format("'{}{}' is no triplet; three numbers a line are wanted, as in 0 10050 11060",
                              content.substr(0, kShown), content.size() > kShown ? "…" : ""),
                  where());
    }
    if (const auto good = check.next(*triplet); !good) return tl::make_unexpected(with_context(good.error(), where()));
    triplets.push_back(*triplet);
  }
  return triplets;
}

}  // namespace midinf

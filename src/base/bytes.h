// A cursor over untrusted bytes: every read is checked against what is left, so no count from a file can overrun it.
// Used by midi (big endian) and model (little endian). Read next: midi/smf_reader.cc or model/gguf.cc.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace midinf {

class ByteCursor {
 public:
  explicit ByteCursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::size_t remaining() const { return bytes_.size() - position_; }
  [[nodiscard]] bool at_end() const { return remaining() == 0; }

  /// Moves to `position` from the start; false, and no move, if it lies beyond the end.
  [[nodiscard]] bool seek(std::size_t position) {
    if (position > bytes_.size()) return false;
    position_ = position;
    return true;
  }

  /// The next `count` bytes, or nothing if fewer are left.
  [[nodiscard]] std::optional<std::span<const std::byte>> take(std::uint64_t count) {
    if (count > remaining()) return std::nullopt;
    const auto taken = bytes_.subspan(position_, static_cast<std::size_t>(count));
    position_ += static_cast<std::size_t>(count);
    return taken;
  }

  [[nodiscard]] std::optional<std::string_view> take_text(std::uint64_t count) {
    const auto taken = take(count);
    if (!taken) return std::nullopt;
    return std::string_view(reinterpret_cast<const char*>(taken->data()), taken->size());
  }

  template <class T>
  [[nodiscard]] std::optional<T> little_endian() {
    return number<T>(std::endian::little);
  }
  template <class T>
  [[nodiscard]] std::optional<T> big_endian() {
    return number<T>(std::endian::big);
  }
  [[nodiscard]] std::optional<std::uint8_t> u8() { return number<std::uint8_t>(std::endian::native); }

 private:
  template <class T>
  std::optional<T> number(std::endian order) {
    static_assert(std::is_arithmetic_v<T>);
    const auto taken = take(sizeof(T));
    if (!taken) return std::nullopt;
    std::byte raw[sizeof(T)];
    for (std::size_t i = 0; i < sizeof(T); ++i) raw[i] = (*taken)[order == std::endian::native ? i : sizeof(T) - 1 - i];
    T value;
    std::memcpy(&value, raw, sizeof(T));
    return value;
  }

  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
};

}  // namespace midinf

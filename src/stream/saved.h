// Generators and sessions as bytes: a magic, a version, fields in little endian, a CRC-32 over all of it.
// What is read back may come from anywhere: every count is checked before it allocates, every value before it is used.
// Read next: session.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "anticipation/settings.h"
#include "base/byte_writer.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/token.h"

namespace midinf {

/// Writes fields behind a magic of eight letters and a version; `finish` adds the checksum.
class SaveWriter {
 public:
  SaveWriter(std::string_view magic, std::uint32_t version);
  template <class T>
  void number(T value) {
    writer_.little_endian(value);
  }
  void blob(std::span<const std::byte> bytes);
  void triplets(std::span<const Triplet> triplets);
  void settings(const Settings& settings);
  [[nodiscard]] std::vector<std::byte> finish();

 private:
  ByteWriter writer_;
};

/// Reads them back. A field that is not there or makes no sense is remembered as a failure and read as 0 or empty, so
/// that a reader asks once, at the end.
class SaveReader {
 public:
  /// Errors: kCorrupt (magic, checksum, length), kUnsupported (a version above `newest`).
  static Result<SaveReader> open(std::span<const std::byte> bytes, std::string_view magic, std::uint32_t newest);

  [[nodiscard]] std::uint32_t version() const { return version_; }
  template <class T>
  T number() {
    const auto value = cursor_.little_endian<T>();
    return value ? *value : refuse<T>();
  }
  /// A number that must lie within lowest..highest.
  template <class T>
  T number_in(T lowest, T highest) {
    const T value = number<T>();
    return value >= lowest && value <= highest ? value : refuse<T>(lowest);
  }
  bool flag() { return number_in<std::uint8_t>(0, 1) != 0; }
  /// How many things of at least `bytes_each` bytes follow.
  std::size_t count(std::size_t bytes_each);
  std::vector<std::byte> blob();
  /// Events and separators in order of onset.
  std::vector<Triplet> triplets();
  Settings settings();
  void refuse() { failed_ = true; }
  /// kCorrupt if anything was wrong or anything is left.
  Result<void> finish() const;

 private:
  explicit SaveReader(std::span<const std::byte> bytes) : cursor_(bytes) {}
  template <class T>
  T refuse(T instead = {}) {
    failed_ = true;
    return instead;
  }

  ByteCursor cursor_;
  std::uint32_t version_ = 0;
  bool failed_ = false;
};

}  // namespace midinf

// Files: read whole with a bound, mapped, and written whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace midinf {

/// Reads all of `path`. Errors: kNotFound, kIo, kUnsupported when it holds more than `max_bytes`. "-" is standard
/// input.
Result<std::vector<std::byte>> read_file(const std::string& path, std::uint64_t max_bytes);

/// Takes the bytes of a file piece by piece while it is being written.
class FileWriter {
 public:
  virtual ~FileWriter() = default;
  virtual Result<void> write(std::span<const std::byte> bytes) = 0;
  Result<void> write(std::string_view text) { return write(std::as_bytes(std::span(text))); }
};

/// Writes what `fill` produces to a temporary file beside `path`, flushes it to the disk and renames it over `path`: a
/// reader sees the old file or the whole new one. On any failure the temporary file is removed. A replaced file keeps
/// its mode, a link stays a link, devices and pipes are written to directly. "-" is standard output. Errors: what
/// `fill` returns; kNotFound without the folder; kIo. [any thread]
Result<void> write_file_whole(const std::string& path, const std::function<Result<void>(FileWriter&)>& fill);
Result<void> write_file_whole(const std::string& path, std::span<const std::byte> bytes);
Result<void> write_file_whole(const std::string& path, std::string_view text);

/// A file's bytes, read-only, mapped where the system can. Moves, does not copy; unmapped at the end of its life.
class MappedFile {
 public:
  static Result<MappedFile> open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes_;
};

}  // namespace midinf

// The files of one folder by the path of an address: what is in it, nothing outside, and how long a browser may keep
// it. Must not know: HTTP messages, sockets. Read next: app_server.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace midinf::server {

/// A regular file, open for reading at any place; closed at the end of its life. [any thread, several at once]
class OpenFile {
 public:
  OpenFile(int descriptor, std::uint64_t size, std::string etag);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// In quotes; another one as soon as the file was written to, replaced or swapped for one of the same size and date.
  [[nodiscard]] const std::string& etag() const { return etag_; }
  /// Reads up to `bytes.size()` bytes from `offset` on; 0 when there are none (any more).
  [[nodiscard]] std::size_t read(std::uint64_t offset, std::span<char> bytes) const;

 private:
  int descriptor_;
  std::uint64_t size_;
  std::string etag_;
};

/// A folder whose files may be read. [any thread, several at once]
class StaticFolder {
 public:
  /// Errors: kNotFound when `folder` is none.
  static Result<StaticFolder> open(const std::string& folder);

  /// The file at `path` (which starts with /; one that ends with / means its index.html), null where there is none: no
  /// regular file, not readable, or one that links lead to from inside but that lies outside.
  [[nodiscard]] std::shared_ptr<const OpenFile> find(std::string_view path) const;

 private:
  explicit StaticFolder(std::string root) : root_(std::move(root)) {}
  std::string root_;  // absolute, without links
};

/// The media type for a file's name.
const char* media_type(std::string_view path);

/// How long a browser may keep the file: for ever where the build put a hash of its content into its name (under
/// /assets/), otherwise it has to ask each time.
const char* cache_policy(std::string_view path);

}  // namespace midinf::server

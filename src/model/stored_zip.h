// The files inside an uncompressed zip archive, where they lie. PyTorch's checkpoints are such archives.
// Must not know: pickles, tensors. Read next: pytorch_bin.cc. Source: PKWARE's APPNOTE 6.3, sections 4.3 to 4.5.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace midinf {

/// One file in an archive; both fields point into the archive.
struct ZipEntry {
  std::string_view name;
  std::span<const std::byte> bytes;
};

/// Whether a file that begins like this is a zip archive.
bool looks_like_zip(std::span<const std::byte> file);

/// The files of an archive in the order of its directory, which may be of the 64-bit kind. Checksums are not verified.
/// Errors: kCorrupt when directory and contents disagree, a size or offset leaves the file, a name stands twice or two
/// files share bytes; kUnsupported for compressed or encrypted files and archives in several parts. [any thread]
Result<std::vector<ZipEntry>> parse_stored_zip(std::span<const std::byte> archive);

}  // namespace midinf

#include "model/stored_zip.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/bytes.h"

namespace midinf {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kDirectoryHeader = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::uint32_t kEnd64Locator = 0x07064b50;
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kEnd64LocatorBytes = 20;
constexpr std::size_t kDirectoryHeaderBytes = 46;
constexpr std::uint16_t kZip64Extra = 0x0001;
constexpr std::uint16_t kEncrypted = 1;
// A field of all ones means: see the 64-bit record.
constexpr std::uint16_t kSee64Short = 0xFFFF;
constexpr std::uint32_t kSee64 = 0xFFFFFFFF;

tl::unexpected<Error> corrupt(std::string message, std::string where = "zip archive") {
  return fail(ErrorCode::kCorrupt, std::move(message), std::move(where));
}

tl::unexpected<Error> unsupported(std::string message, std::string where = "zip archive") {
  return fail(ErrorCode::kUnsupported, std::move(message), std::move(where));
}

// A record read field by field; what lies beyond the end reads as 0 and is remembered, so that one check suffices.
class Record {
 public:
  Record(std::span<const std::byte> archive, std::uint64_t position) : cursor_(archive) {
    good_ = position <= archive.size() && cursor_.seek(static_cast<std::size_t>(position));
  }
  std::uint16_t u16() { return number<std::uint16_t>(); }
  std::uint32_t u32() { return number<std::uint32_t>(); }
  std::uint64_t u64() { return number<std::uint64_t>(); }
  std::span<const std::byte> bytes(std::uint64_t count) {
    const auto taken = good_ ? cursor_.take(count) : std::nullopt;
    good_ = taken.has_value();
    return taken.value_or(std::span<const std::byte>{});
  }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] std::size_t position() const { return cursor_.position(); }

 private:
  template <class T>
  T number() {
    const auto value = good_ ? cursor_.little_endian<T>() : std::nullopt;
    good_ = value.has_value();
    return value.value_or(0);
  }
  ByteCursor cursor_;
  bool good_ = true;
};

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Directory {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;
};

// The end record stands last, but for a comment whose length it gives.
std::optional<std::size_t> find_end(std::span<const std::byte> archive) {
  if (archive.size() < kEndBytes) return std::nullopt;
  const std::size_t last = archive.size() - kEndBytes;
  for (std::size_t back = 0; back <= std::min<std::size_t>(last, 0xFFFF); ++back) {
    Record record(archive, last - back);
    if (record.u32() != kEnd) continue;
    record.bytes(16);
    if (record.u16() == back) return last - back;
  }
  return std::nullopt;
}

Result<Directory> find_directory(std::span<const std::byte> archive) {
  const auto end = find_end(archive);
  if (!end) return corrupt("its end record is missing; the file is cut short, download it again");
  Record record(archive, *end + 4);
  const std::uint16_t disk = record.u16();
  const std::uint16_t first_disk = record.u16();
  record.u16();
  const std::uint16_t entries = record.u16();
  const std::uint32_t bytes = record.u32();
  const std::uint32_t offset = record.u32();
  Directory directory{entries, bytes, offset};
  if (entries == kSee64Short || bytes == kSee64 || offset == kSee64) {
    if (*end < kEnd64LocatorBytes) return corrupt("its 64-bit end record is missing");
    Record locator(archive, *end - kEnd64LocatorBytes);
    if (locator.u32() != kEnd64Locator) return corrupt("its 64-bit end record is missing");
    locator.u32();
    Record end64(archive, locator.u64());
    if (end64.u32() != kEnd64) return corrupt("its 64-bit end record is not where it should be");
    end64.u64();  // its own size
    end64.u32();  // versions
    const std::uint32_t disk64 = end64.u32();
    const std::uint32_t first_disk64 = end64.u32();
    end64.u64();
    directory.entries = end64.u64();
    directory.bytes = end64.u64();
    directory.offset = end64.u64();
    if (!end64.good()) return corrupt("its 64-bit end record is cut short");
    if (disk64 != 0 || first_disk64 != 0) return unsupported("an archive in several parts");
  } else if (disk != 0 || first_disk != 0) {
    return unsupported("an archive in several parts");
  }
  if (directory.offset > *end || directory.bytes > *end - directory.offset)
    return corrupt(
        fmt::format("its directory of {} bytes at {} lies outside the file", directory.bytes, directory.offset));
  if (directory.entries > directory.bytes / kDirectoryHeaderBytes)
    return corrupt(fmt::format("its directory of {} bytes cannot hold {} entries", directory.bytes, directory.entries));
  return directory;
}

// Takes the 64-bit values that stand in for fields of all ones, in the order that the format gives them.
Result<void> read_zip64(std::span<const std::byte> extra, std::string_view name, std::uint64_t& size,
                        std::uint64_t& compressed_size, std::uint64_t& offset) {
  if (size != kSee64 && compressed_size != kSee64 && offset != kSee64) return {};
  Record fields(extra, 0);
  while (fields.good() && fields.position() < extra.size()) {
    const std::uint16_t id = fields.u16();
    const auto content = fields.bytes(fields.u16());
    if (!fields.good() || id != kZip64Extra) continue;
    Record values(content, 0);
    for (std::uint64_t* field : {&size, &compressed_size, &offset})
      if (*field == kSee64) *field = values.u64();
    if (values.good()) return {};
    break;
  }
  return corrupt("its 64-bit sizes are missing", std::string(name));
}

// Reads one entry of the directory and finds its bytes through the header that stands before them.
Result<ZipEntry> read_entry(std::span<const std::byte> archive, std::uint64_t directory_offset, Record& directory) {
  const std::uint32_t signature = directory.u32();
  directory.u32();  // versions
  const std::uint16_t flags = directory.u16();
  const std::uint16_t method = directory.u16();
  directory.u64();  // time, date, checksum
  std::uint64_t compressed_size = directory.u32();
  std::uint64_t size = directory.u32();
  const std::uint16_t name_bytes = directory.u16();
  const std::uint16_t extra_bytes = directory.u16();
  const std::uint16_t comment_bytes = directory.u16();
  directory.u64();  // disk, attributes
  std::uint64_t offset = directory.u32();
  const std::string_view name = as_text(directory.bytes(name_bytes));
  const auto extra = directory.bytes(extra_bytes);
  directory.bytes(comment_bytes);
  if (!directory.good() || signature != kDirectoryHeader) return corrupt("its directory is damaged");
  MIDINF_TRY(read_zip64(extra, name, size, compressed_size, offset));
  if ((flags & kEncrypted) != 0) return unsupported("the entry is encrypted", std::string(name));
  if (method != 0)
    return unsupported("the entry is compressed; torch.save writes none, so save the checkpoint again with it",
                       std::string(name));
  if (size != compressed_size)
    return corrupt(fmt::format("stored without compression, but as {} bytes for {}", compressed_size, size),
                   std::string(name));

  Record header(archive, offset);
  const std::uint32_t header_signature = header.u32();
  header.u32();  // version, flags
  const std::uint16_t header_method = header.u16();
  header.u64();
  header.u64();  // time, date, checksum, sizes: may be left to the directory
  const std::uint16_t header_name_bytes = header.u16();
  const std::uint16_t header_extra_bytes = header.u16();
  const std::string_view header_name = as_text(header.bytes(header_name_bytes));
  header.bytes(header_extra_bytes);
  if (!header.good() || header_signature != kLocalHeader || header_method != 0 || header_name != name)
    return corrupt("the entry does not stand where the directory says", std::string(name));
  const auto bytes = header.bytes(size);
  if (!header.good() || header.position() > directory_offset)
    return corrupt(fmt::format("its {} bytes do not fit into the file", size), std::string(name));
  return ZipEntry{name, bytes};
}

}  // namespace

bool looks_like_zip(std::span<const std::byte> file) {
  return Record(file, 0).u32() == kLocalHeader;
}

Result<std::vector<ZipEntry>> parse_stored_zip(std::span<const std::byte> archive) {
  MIDINF_TRY_ASSIGN(directory, find_directory(archive));
  Record record(archive.first(static_cast<std::size_t>(directory.offset + directory.bytes)), directory.offset);
  std::vector<ZipEntry> entries;
  std::set<std::string_view> names;
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    MIDINF_TRY_ASSIGN(entry, read_entry(archive, directory.offset, record));
    if (!names.insert(entry.name).second) return corrupt("the entry stands twice", std::string(entry.name));
    entries.push_back(entry);
  }
  std::vector<ZipEntry> by_place = entries;
  std::sort(by_place.begin(), by_place.end(),
            [](const ZipEntry& a, const ZipEntry& b) { return a.bytes.data() < b.bytes.data(); });
  for (std::size_t i = 1; i < by_place.size(); ++i)
    if (by_place[i - 1].bytes.data() + by_place[i - 1].bytes.size() > by_place[i].bytes.data())
      return corrupt(fmt::format("its bytes overlap those of '{}'", by_place[i - 1].name),
                     std::string(by_place[i].name));
  return entries;
}

}  // namespace midinf

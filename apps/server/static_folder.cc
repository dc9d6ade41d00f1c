#include "server/static_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

namespace midinf::server {
namespace {

namespace fs = std::filesystem;

// FNV-1a over numbers: no secret, only different where the file is.
class Fingerprint {
 public:
  template <class T>
  void add(T number) {
    for (int byte = 0; byte < 8; ++byte)
      hash_ = (hash_ ^ ((static_cast<std::uint64_t>(number) >> (8 * byte)) & 0xff)) * 0x100000001b3u;
  }
  [[nodiscard]] std::uint64_t hash() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

// Dates alone are no proof: packages are built with one date for all files. The inode's change time cannot be set.
std::string etag_of(const struct stat& status) {
#ifdef __APPLE__
  const timespec modified = status.st_mtimespec, changed = status.st_ctimespec;
#else
  const timespec modified = status.st_mtim, changed = status.st_ctim;
#endif
  Fingerprint print;
  print.add(status.st_dev);
  print.add(status.st_ino);
  print.add(modified.tv_sec);
  print.add(modified.tv_nsec);
  print.add(changed.tv_sec);
  print.add(changed.tv_nsec);
  return fmt::format("\"{:x}-{:016x}\"", static_cast<std::uint64_t>(status.st_size), print.hash());
}

// Opens `path` under `root`, both free of links: one that appears on the way is not followed.
int open_without_links(const std::string& root, std::string_view path) {
  int folder = ::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  while (folder >= 0) {
    const std::size_t slash = path.find('/');
    const std::string name(path.substr(0, slash));
    const bool last = slash == std::string_view::npos;
    // A pipe must not hold the caller up: nothing but O_NONBLOCK opens it at once.
    const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (last ? 0 : O_DIRECTORY);
    const int next = ::openat(folder, name.c_str(), flags);
    ::close(folder);
    if (last) return next;
    folder = next;
    path.remove_prefix(slash + 1);
  }
  return -1;
}

constexpr auto kMediaTypes = std::to_array<std::pair<std::string_view, const char*>>({
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".txt", "text/plain; charset=utf-8"},
    {".md", "text/plain; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".xml", "application/xml"},
    {".wasm", "application/wasm"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".gif", "image/gif"},
    {".webp", "image/webp"},
    {".avif", "image/avif"},
    {".ico", "image/x-icon"},
    {".woff", "font/woff"},
    {".woff2", "font/woff2"},
    {".ttf", "font/ttf"},
    {".mid", "audio/midi"},
    {".midi", "audio/midi"},
    {".wav", "audio/wav"},
    {".mp3", "audio/mpeg"},
    {".ogg", "audio/ogg"},
});

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// A hash as bundlers put it behind the name: -Bq3xR9_d (eight characters, base64url) or -3fa9c0d1 (hexadecimal).
bool ends_in_hash(std::string_view stem) {
  constexpr std::size_t kShortest = 8;
  if (stem.size() <= kShortest) return false;
  const auto is_mark = [](char c) { return c == '-' || c == '.'; };
  const std::string_view tail = stem.substr(stem.size() - kShortest);
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  if (is_mark(stem[stem.size() - kShortest - 1]) && std::all_of(tail.begin(), tail.end(), [&](char c) {
        return is_digit(c) || is_upper(c) || is_lower(c) || c == '-' || c == '_';
      }))  // a plain word has neither digits nor capitals
    return std::any_of(tail.begin(), tail.end(), [&](char c) { return is_digit(c) || is_upper(c); });
  const std::size_t mark = stem.find_last_of("-.");
  if (mark == std::string_view::npos || stem.size() - mark - 1 < kShortest) return false;
  const std::string_view digits = stem.substr(mark + 1);
  return std::all_of(digits.begin(), digits.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }) &&
         std::any_of(digits.begin(), digits.end(), is_digit);
}

}  // namespace

OpenFile::OpenFile(int descriptor, std::uint64_t size, std::string etag)
    : descriptor_(descriptor), size_(size), etag_(std::move(etag)) {}

OpenFile::~OpenFile() {
  ::close(descriptor_);
}

std::size_t OpenFile::read(std::uint64_t offset, std::span<char> bytes) const {
  for (;;) {
    const ssize_t count = ::pread(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return 0;
  }
}

Result<StaticFolder> StaticFolder::open(const std::string& folder) {
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  if (error || !fs::is_directory(root, error)) return fail(ErrorCode::kNotFound, "there is no such folder", folder);
  return StaticFolder(root.string());
}

std::shared_ptr<const OpenFile> StaticFolder::find(std::string_view path) const {
  std::string wanted = root_ + std::string(path);
  if (path.ends_with('/')) wanted += "index.html";
  std::error_code error;
  const std::string real = fs::canonical(wanted, error).string();
  const std::string inside = root_ == "/" ? root_ : root_ + "/";
  if (error || !real.starts_with(inside)) return nullptr;
  const int descriptor = open_without_links(root_, std::string_view(real).substr(inside.size()));
  if (descriptor < 0) return nullptr;
  struct stat status{};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    return nullptr;
  }
  return std::make_shared<const OpenFile>(descriptor, static_cast<std::uint64_t>(status.st_size), etag_of(status));
}

const char* media_type(std::string_view path) {
  if (path.ends_with('/')) return kMediaTypes.front().second;
  std::string ending(path.substr(std::min(path.size(), path.find_last_of("./"))));
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  for (const auto& [known, type] : kMediaTypes)
    if (ending == known) return type;
  return "application/octet-stream";
}

const char* cache_policy(std::string_view path) {
  const std::string_view name = path.substr(path.find_last_of('/') + 1);
  const bool forever = path.starts_with("/assets/") && ends_in_hash(name.substr(0, name.find_last_of('.')));
  return forever ? "public, max-age=31536000, immutable" : "no-cache";
}

}  // namespace midinf::server

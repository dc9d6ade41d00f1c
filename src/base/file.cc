#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace midinf {
namespace {

namespace fs = std::filesystem;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { static_cast<void>(close()); }
  [[nodiscard]] int get() const { return fd_; }
  /// 0, or errno.
  int close() {
    if (fd_ < 0) return 0;
    return ::close(std::exchange(fd_, -1)) == 0 ? 0 : errno;
  }

 private:
  int fd_;
};

tl::unexpected<Error> system_error(const std::string& path, std::string_view doing, int code) {
  const char* advice = "";
  if (code == ENOSPC || code == EDQUOT) advice = "; free some space and try again";
  if (code == EACCES || code == EPERM || code == EROFS) advice = "; check its permissions or choose another place";
  if (code == ENOENT) advice = "; check the name";
  return fail(code == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
              fmt::format("cannot {}: {}{}", doing, std::generic_category().message(code), advice), path);
}

// open(2), tried again when a signal interrupts the wait for the other end of a pipe.
int open_file(const std::string& path, int flags, mode_t mode = 0) {
  int fd = -1;
  do fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);
  return fd;
}

class DescriptorWriter : public FileWriter {
 public:
  DescriptorWriter(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  using FileWriter::write;
  Result<void> write(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return system_error(path_, "write the file", errno);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
  }

 private:
  int fd_;
  std::string path_;
};

// The path that a chain of symbolic links names; it need not exist. A loop comes back as it is: opening it fails.
fs::path follow_links(fs::path path) {
  for (int links = 0; links < 40; ++links) {
    std::error_code error;
    const fs::path target = fs::read_symlink(path, error);
    if (error) break;
    path = path.parent_path() / target;
  }
  return path;
}

// A new file beside `path` under a name that nobody uses, or -1 and errno. The system applies the umask.
int create_beside(const fs::path& path, std::string& name) {
  static std::atomic<unsigned> counter{0};
  // 200 bytes of the name leave room for the suffix below the usual limit of 255.
  const std::string stem = (path.parent_path() / path.filename().string().substr(0, 200)).string();
  int fd = -1;
  do {
    name = fmt::format("{}.part-{}-{}", stem, ::getpid(), counter++);
    fd = open_file(name, O_WRONLY | O_CREAT | O_EXCL, 0666);
  } while (fd < 0 && errno == EEXIST);
  return fd;
}

// After a rename: without this, power loss may bring the old file back. Not every file system can; that is no error.
void flush_folder(const fs::path& folder) {
  const Descriptor opened(open_file(folder.empty() ? "." : folder.string(), O_RDONLY | O_DIRECTORY));
  if (opened.get() >= 0) static_cast<void>(::fsync(opened.get()));
}

Result<void> write_in_place(const std::string& path, const std::function<Result<void>(FileWriter&)>& fill) {
  Descriptor file(open_file(path, O_WRONLY));
  if (file.get() < 0) return system_error(path, "open the file", errno);
  DescriptorWriter out(file.get(), path);
  MIDINF_TRY(fill(out));
  if (const int code = file.close(); code != 0) return system_error(path, "write the file", code);
  return {};
}

}  // namespace

Result<std::vector<std::byte>> read_file(const std::string& path, std::uint64_t max_bytes) {
  const bool standard_input = path == "-";
  const std::string name = standard_input ? "standard input" : path;
  Descriptor file(standard_input ? ::dup(STDIN_FILENO) : open_file(path, O_RDONLY));
  if (file.get() < 0) return system_error(name, "open the file", errno);
  std::vector<std::byte> bytes;
  std::vector<std::byte> block(1 << 16);
  while (true) {
    const ssize_t got = ::read(file.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(name, "read the file", errno);
    if (got == 0) return bytes;
    bytes.insert(bytes.end(), block.begin(), block.begin() + got);
    if (bytes.size() > max_bytes)
      return fail(ErrorCode::kUnsupported,
                  fmt::format("the file is larger than {} bytes, the most that is read", max_bytes), name);
  }
}

Result<void> write_file_whole(const std::string& path, const std::function<Result<void>(FileWriter&)>& fill) {
  if (path == "-") {
    DescriptorWriter out(STDOUT_FILENO, "standard output");
    return fill(out);
  }
  struct stat old{};
  const bool replaces = ::stat(path.c_str(), &old) == 0;
  if (!replaces && errno != ENOENT) return system_error(path, "create the file", errno);
  if (replaces && S_ISDIR(old.st_mode)) return fail(ErrorCode::kIo, "this is a folder; name a file", path);
  // A device or a pipe is written as it is: it cannot be renamed over.
  if (replaces && !S_ISREG(old.st_mode)) return write_in_place(path, fill);
  // Renaming would replace a write-protected file too.
  if (replaces && ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0)
    return system_error(path, "replace the file", errno);

  const fs::path target = follow_links(path);
  std::string temporary;
  Descriptor file(create_beside(target, temporary));
  if (file.get() < 0) {
    if (errno == ENOENT) return fail(ErrorCode::kNotFound, "cannot create the file: its folder does not exist", path);
    return system_error(path, "create the file", errno);
  }
  // Gone again unless it was renamed, also when `fill` throws because memory has run out.
  struct Unlink {
    const std::string& name;
    bool wanted = true;
    ~Unlink() {
      if (wanted) ::unlink(name.c_str());
    }
  } unlink{temporary};
  DescriptorWriter out(file.get(), path);
  Result<void> done = fill(out);
  if (done && replaces && ::fchmod(file.get(), old.st_mode & 07777) != 0)
    done = system_error(path, "keep the file's mode", errno);
  // EINVAL: a file system that has nothing to flush.
  if (done && ::fsync(file.get()) != 0 && errno != EINVAL) done = system_error(path, "write the file", errno);
  if (const int code = file.close(); done && code != 0) done = system_error(path, "write the file", code);
  if (done && ::rename(temporary.c_str(), target.c_str()) != 0) done = system_error(path, "replace the file", errno);
  if (done) {
    unlink.wanted = false;
    flush_folder(target.parent_path());
  }
  return done;
}

Result<void> write_file_whole(const std::string& path, std::span<const std::byte> bytes) {
  return write_file_whole(path, [&](FileWriter& out) { return out.write(bytes); });
}

Result<void> write_file_whole(const std::string& path, std::string_view text) {
  return write_file_whole(path, std::as_bytes(std::span(text)));
}

Result<MappedFile> MappedFile::open(const std::string& path) {
  // O_NONBLOCK: a pipe is refused below, not waited for.
  const Descriptor file(open_file(path, O_RDONLY | O_NONBLOCK));
  if (file.get() < 0) return system_error(path, "open the file", errno);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return system_error(path, "read the file", errno);
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::kInvalidArgument, "not a regular file", path);
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return MappedFile(std::span<const std::byte>{});
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED) return system_error(path, "map the file", errno);
  return MappedFile({static_cast<const std::byte*>(address), size});
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace midinf

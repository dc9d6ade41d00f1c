#include "base/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace midinf {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr std::uint64_t kPlenty = 1 << 20;

// Every test gets an empty folder of its own.
class Files : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "midinf-file-test-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(folder_)) all.push_back(entry.path().filename().string());
    return all;
  }
  static std::string content(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  static void put(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }
  static unsigned mode(const std::string& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777u : 0u;
  }

  fs::path folder_;
};

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// --- reading ---------------------------------------------------------------------------------------------------------

TEST_F(Files, AreReadWhole) {
  const std::string text(200'000, 'x');  // several reads
  put(path("a"), text);
  const auto bytes = read_file(path("a"), kPlenty);
  ASSERT_TRUE(bytes.has_value()) << bytes.error().to_string();
  EXPECT_EQ(text_of(*bytes), text);
}

TEST_F(Files, EmptyOnesAreReadAsNothing) {
  put(path("a"), "");
  const auto bytes = read_file(path("a"), 0);
  ASSERT_TRUE(bytes.has_value());
  EXPECT_TRUE(bytes->empty());
}

TEST_F(Files, AreReadUpToTheLimitAndRefusedBeyondIt) {
  put(path("a"), "12345");
  EXPECT_TRUE(read_file(path("a"), 5).has_value());
  const auto refused = read_file(path("a"), 4);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().to_string(), HasSubstr(path("a")));
}

TEST_F(Files, AnEndlessDeviceIsRefusedAtTheLimit) {
  const auto refused = read_file("/dev/zero", kPlenty);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
}

TEST_F(Files, AMissingOneIsNotFound) {
  const auto missing = read_file(path("no"), kPlenty);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().to_string(), HasSubstr(path("no")));
}

TEST_F(Files, AFolderCannotBeRead) {
  const auto folder = read_file(folder_.string(), kPlenty);
  ASSERT_FALSE(folder.has_value());
  EXPECT_EQ(folder.error().code, ErrorCode::kIo);
}

TEST_F(Files, APathThroughAFileOrALoopOfLinksCannotBeRead) {
  put(path("a"), "");
  EXPECT_FALSE(read_file(path("a/b"), kPlenty).has_value());
  fs::create_symlink("loop", path("loop"));
  const auto loop = read_file(path("loop"), kPlenty);
  ASSERT_FALSE(loop.has_value());
  EXPECT_EQ(loop.error().code, ErrorCode::kIo);
}

// As root no permission is ever missing: become nobody for a while.
class AsNobody {
 public:
  AsNobody() : changed_(::geteuid() == 0 && ::seteuid(65534) == 0) {}
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  ~AsNobody() {
    if (changed_ && ::seteuid(0) != 0) std::abort();
  }

 private:
  bool changed_;
};

TEST_F(Files, WithoutPermissionNothingIsReadOrWritten) {
  put(path("a"), "kept");
  fs::permissions(path("a"), fs::perms::none);
  fs::permissions(folder_, fs::perms::owner_read | fs::perms::owner_exec);
  {
    const AsNobody nobody;
    if (::geteuid() == 0) GTEST_SKIP() << "root that cannot become anybody else";
    const auto read = read_file(path("a"), kPlenty);
    ASSERT_FALSE(read.has_value());
    EXPECT_EQ(read.error().code, ErrorCode::kIo);
    EXPECT_THAT(read.error().message, HasSubstr("permission"));
    const auto written = write_file_whole(path("b"), "text");
    ASSERT_FALSE(written.has_value());
    EXPECT_EQ(written.error().code, ErrorCode::kIo);
    EXPECT_THAT(written.error().message, HasSubstr("permission"));
  }
  fs::permissions(folder_, fs::perms::owner_all);
  EXPECT_THAT(names(), ElementsAre("a"));
}

TEST_F(Files, AWriteProtectedOneIsNotReplaced) {
  fs::permissions(folder_, fs::perms::all);
  put(path("a"), "kept");
  fs::permissions(path("a"), fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read);
  {
    const AsNobody nobody;
    if (::geteuid() == 0) GTEST_SKIP() << "root that cannot become anybody else";
    const auto written = write_file_whole(path("a"), "new");
    ASSERT_FALSE(written.has_value());
    EXPECT_EQ(written.error().code, ErrorCode::kIo);
  }
  EXPECT_EQ(content(path("a")), "kept");
  EXPECT_THAT(names(), ElementsAre("a"));
}

// --- writing ---------------------------------------------------------------------------------------------------------

TEST_F(Files, AreWrittenWholeAndNothingElseIsLeft) {
  ASSERT_TRUE(write_file_whole(path("a"), "text").has_value());
  EXPECT_EQ(content(path("a")), "text");
  ASSERT_TRUE(write_file_whole(path("a"), "").has_value());
  EXPECT_EQ(content(path("a")), "");
  EXPECT_THAT(names(), ElementsAre("a"));
}

TEST_F(Files, AreWrittenPieceByPiece) {
  const auto done = write_file_whole(path("a"), [](FileWriter& out) -> Result<void> {
    for (int i = 0; i < 3; ++i) MIDINF_TRY(out.write("piece "));
    return {};
  });
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(content(path("a")), "piece piece piece ");
}

TEST_F(Files, TheOldOneStandsUntilTheNewOneIsWhole) {
  put(path("a"), "old");
  const auto done = write_file_whole(path("a"), [&](FileWriter& out) -> Result<void> {
    MIDINF_TRY(out.write("new"));
    EXPECT_EQ(content(path("a")), "old");
    return {};
  });
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(content(path("a")), "new");
}

TEST_F(Files, AFailureWhileFillingLeavesTheOldOneAlone) {
  put(path("a"), "old");
  const auto done = write_file_whole(path("a"), [](FileWriter& out) -> Result<void> {
    MIDINF_TRY(out.write("half"));
    return fail(ErrorCode::kCorrupt, "no more");
  });
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().message, "no more");
  EXPECT_EQ(content(path("a")), "old");
  EXPECT_THAT(names(), ElementsAre("a"));
}

TEST_F(Files, WhenMemoryRunsOutWhileFillingNothingIsLeft) {
  const auto fill = [](FileWriter& out) -> Result<void> {
    EXPECT_TRUE(out.write("some"));
    throw std::bad_alloc();
  };
  EXPECT_THROW(static_cast<void>(write_file_whole(path("new"), fill)), std::bad_alloc);
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(Files, ASizeLimitLeavesNoPartialFile) {
  put(path("a"), "old");
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto replaced = write_file_whole(path("a"), std::string(10'000, 'x'));
  const auto created = write_file_whole(path("b"), std::string(10'000, 'x'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, ignored);
  ASSERT_FALSE(replaced.has_value());
  EXPECT_EQ(replaced.error().code, ErrorCode::kIo);
  EXPECT_THAT(replaced.error().to_string(), HasSubstr(path("a")));
  EXPECT_FALSE(created.has_value());
  EXPECT_EQ(content(path("a")), "old");
  EXPECT_THAT(names(), ElementsAre("a"));
}

TEST_F(Files, AFullDiskLeavesNoPartialFileAndSaysSo) {
  // A file system of 16 kB that only this process sees.
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("none", folder_.c_str(), "tmpfs", 0, "size=16k") != 0)
    GTEST_SKIP() << "needs the right to mount a file system";
  put(path("a"), "old");
  const auto done = write_file_whole(path("a"), std::string(100'000, 'x'));
  const std::string old = content(path("a"));
  const std::vector<std::string> left = names();
  EXPECT_EQ(::umount2(folder_.c_str(), MNT_DETACH), 0);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, ErrorCode::kIo);
  EXPECT_THAT(done.error().message, HasSubstr("space"));
  EXPECT_EQ(old, "old");
  EXPECT_THAT(left, ElementsAre("a"));
}

TEST_F(Files, AFullDeviceIsAnError) {
  const auto done = write_file_whole("/dev/full", "text");
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, ErrorCode::kIo);
  EXPECT_THAT(done.error().to_string(), HasSubstr("/dev/full"));
}

TEST_F(Files, DevicesAndPipesAreWrittenToNotReplaced) {
  ASSERT_TRUE(write_file_whole("/dev/null", "text").has_value());
  struct stat status{};
  ASSERT_EQ(::stat("/dev/null", &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));

  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  std::string heard;
  std::thread listener([&] { heard = content(path("pipe")); });
  EXPECT_TRUE(write_file_whole(path("pipe"), "text").has_value());
  listener.join();
  EXPECT_EQ(heard, "text");
  EXPECT_TRUE(fs::is_fifo(path("pipe")));
}

TEST_F(Files, AFolderIsNotWrittenTo) {
  const auto done = write_file_whole(folder_.string(), "text");
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, ErrorCode::kIo);
  EXPECT_THAT(done.error().to_string(), HasSubstr("folder"));
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(Files, AMissingFolderIsNamedAsTheReason) {
  const auto done = write_file_whole(path("no/a"), "text");
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(done.error().message, HasSubstr("folder"));
  EXPECT_FALSE(write_file_whole("", "text").has_value());
}

TEST_F(Files, ALinkStaysALinkAndItsTargetIsReplaced) {
  fs::create_directory(path("d"));
  put(path("d/target"), "old");
  fs::create_symlink("d/target", path("link"));
  fs::create_symlink("link", path("link-to-link"));
  ASSERT_TRUE(write_file_whole(path("link-to-link"), "new").has_value());
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_TRUE(fs::is_symlink(path("link-to-link")));
  EXPECT_EQ(content(path("d/target")), "new");
}

TEST_F(Files, ADanglingLinkGetsItsTarget) {
  fs::create_symlink("target", path("link"));
  ASSERT_TRUE(write_file_whole(path("link"), "new").has_value());
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(content(path("target")), "new");
  fs::create_symlink("loop", path("loop"));
  EXPECT_FALSE(write_file_whole(path("loop"), "new").has_value());
  EXPECT_THAT(names(), UnorderedElementsAre("link", "target", "loop"));
}

TEST_F(Files, ANewOneHonoursTheUmaskAndAReplacedOneKeepsItsMode) {
  const mode_t before = ::umask(027);
  const bool created = write_file_whole(path("a"), "text").has_value();
  ::umask(before);
  ASSERT_TRUE(created);
  EXPECT_EQ(mode(path("a")), 0640u);
  fs::permissions(path("a"), fs::perms(0604));
  ASSERT_TRUE(write_file_whole(path("a"), "more").has_value());
  EXPECT_EQ(mode(path("a")), 0604u);
}

TEST_F(Files, TheLongestNameThatTheSystemAllowsCanBeWritten) {
  const std::string name(255, 'n');
  ASSERT_TRUE(write_file_whole(path(name), "text").has_value());
  EXPECT_THAT(names(), ElementsAre(name));
  EXPECT_FALSE(write_file_whole(path(name + "n"), "text").has_value());
  EXPECT_THAT(names(), ElementsAre(name));
}

TEST_F(Files, ManyWritersOfOneNameLeaveOneWholeFile) {
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i)
    writers.emplace_back([&, i] {
      for (int round = 0; round < 20; ++round)
        EXPECT_TRUE(write_file_whole(path("a"), std::string(10'000, static_cast<char>('a' + i))).has_value());
    });
  for (std::thread& writer : writers) writer.join();
  const std::string text = content(path("a"));
  ASSERT_EQ(text.size(), 10'000u);
  EXPECT_EQ(text, std::string(10'000, text[0]));
  EXPECT_THAT(names(), ElementsAre("a"));
}

// --- mapping ---------------------------------------------------------------------------------------------------------

TEST_F(Files, AreMapped) {
  put(path("a"), "text");
  auto mapped = MappedFile::open(path("a"));
  ASSERT_TRUE(mapped.has_value());
  ASSERT_EQ(mapped->bytes().size(), 4u);
  EXPECT_EQ(mapped->bytes()[0], std::byte{'t'});

  MappedFile moved = std::move(*mapped);
  EXPECT_EQ(moved.bytes().size(), 4u);
  put(path("b"), "other");
  auto other = MappedFile::open(path("b"));
  ASSERT_TRUE(other.has_value());
  moved = std::move(*other);
  EXPECT_EQ(moved.bytes().size(), 5u);
}

TEST_F(Files, AMappedOneOutlivesItsName) {
  put(path("a"), "text");
  const auto mapped = MappedFile::open(path("a"));
  ASSERT_TRUE(mapped.has_value());
  ASSERT_TRUE(write_file_whole(path("a"), "replaced").has_value());
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size()), "text");
}

TEST_F(Files, AnEmptyOneMapsToNothing) {
  put(path("a"), "");
  const auto mapped = MappedFile::open(path("a"));
  ASSERT_TRUE(mapped.has_value());
  EXPECT_TRUE(mapped->bytes().empty());
}

TEST_F(Files, WhatIsNoRegularFileIsNotMapped) {
  EXPECT_EQ(MappedFile::open(path("no")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(MappedFile::open(folder_.string()).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(MappedFile::open("/dev/zero").error().code, ErrorCode::kInvalidArgument);
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(MappedFile::open(path("pipe")).error().code, ErrorCode::kInvalidArgument)
      << "and does not wait for a writer";
}

}  // namespace
}  // namespace midinf

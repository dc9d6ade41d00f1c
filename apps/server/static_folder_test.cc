// What is found under a folder, what is not, and how long a browser may keep it.
#include "server/static_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

namespace midinf::server {
namespace {

namespace fs = std::filesystem;

class Folder : public testing::Test {
 protected:
  Folder() {
    fs::create_directories(root_ / "sub");
    fs::create_directories(above_ / "beside");
    put(above_ / "secret", "secret");
    put(above_ / "beside" / "index.html", "secret");
    put(root_ / "index.html", "page");
    put(root_ / "sub" / "index.html", "another");
  }
  ~Folder() override { fs::remove_all(above_); }
  static void put(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  // The file's text, or "-".
  [[nodiscard]] std::string text(const std::string& path) const {
    const auto file = StaticFolder::open(root_.string())->find(path);
    if (!file) return "-";
    std::array<char, 64> bytes{};
    return {bytes.data(), file->read(0, bytes)};
  }
  [[nodiscard]] std::string etag(const std::string& path) const {
    return StaticFolder::open(root_.string())->find(path)->etag();
  }

  fs::path above_ = fs::temp_directory_path() / ("midinf_static_folder_" + std::to_string(::getpid()));
  fs::path root_ = above_ / "app";
};

TEST_F(Folder, GivesItsFilesAndTheIndexOfFolders) {
  EXPECT_EQ(text("/"), "page");
  EXPECT_EQ(text("/index.html"), "page");
  EXPECT_EQ(text("/sub/"), "another");
  EXPECT_EQ(text("/sub"), "-");
  EXPECT_EQ(text("/none"), "-");
  EXPECT_EQ(text("/index.html/"), "-");
  EXPECT_EQ(text("/" + std::string(3'000, 'a')), "-");
  EXPECT_FALSE(StaticFolder::open((root_ / "none").string()));
  EXPECT_FALSE(StaticFolder::open((root_ / "index.html").string()));
}

TEST_F(Folder, FollowsLinksThatStayInside) {
  fs::create_symlink("index.html", root_ / "home.html");
  fs::create_directory_symlink(root_ / "sub", root_ / "link");
  EXPECT_EQ(text("/home.html"), "page");
  EXPECT_EQ(text("/link/"), "another");
  // The folder itself may be a link, as the build makes it.
  fs::create_directory_symlink(root_, above_ / "linked");
  EXPECT_TRUE(StaticFolder::open((above_ / "linked").string())->find("/"));
}

TEST_F(Folder, HasNothingThatLiesOutside) {
  fs::create_symlink(above_ / "secret", root_ / "absolute");
  fs::create_symlink("../secret", root_ / "relative");
  fs::create_symlink("relative", root_ / "twice");
  fs::create_directory_symlink("../beside", root_ / "beside");
  fs::create_directory_symlink("..", root_ / "up");
  fs::create_directories(above_ / "app-of-the-same-beginning");
  put(above_ / "app-of-the-same-beginning" / "file", "secret");
  fs::create_directory_symlink("../app-of-the-same-beginning", root_ / "longer");
  for (const char* path : {"/absolute", "/relative", "/twice", "/beside/", "/beside/index.html", "/up/secret",
                           "/longer/file", "/../secret", "/sub/../../secret"})
    EXPECT_EQ(text(path), "-") << path;
}

TEST_F(Folder, GivesRegularFilesOnlyAndNeverWaits) {
  ASSERT_EQ(::mkfifo((root_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(text("/pipe"), "-");
  fs::create_symlink("/dev/zero", root_ / "zero");
  EXPECT_EQ(text("/zero"), "-");
  fs::create_symlink("loop", root_ / "loop");
  EXPECT_EQ(text("/loop"), "-");
}

TEST_F(Folder, SeesAnotherFileByItsTagEvenOfTheSameSizeAndDate) {
  const auto date = fs::file_time_type::clock::now() - std::chrono::hours(24);
  fs::last_write_time(root_ / "index.html", date);
  const std::string before = etag("/");
  EXPECT_EQ(etag("/"), before) << "the same as long as nothing happens";
  EXPECT_EQ(before.front(), '"');
  put(root_ / "new", "PAGE");
  fs::last_write_time(root_ / "new", date);
  fs::rename(root_ / "new", root_ / "index.html");
  EXPECT_NE(etag("/"), before);
}

TEST_F(Folder, IsReadAgainAfterItWasBuiltAgain) {
  const auto folder = StaticFolder::open(root_.string());
  fs::remove_all(root_);
  EXPECT_FALSE(folder->find("/"));
  fs::create_directories(root_);
  put(root_ / "index.html", "next");
  EXPECT_TRUE(folder->find("/"));
}

TEST(MediaType, IsKnownForWhatAnAppConsistsOf) {
  EXPECT_STREQ(media_type("/"), "text/html; charset=utf-8");
  EXPECT_STREQ(media_type("/a.b/c.HTML"), "text/html; charset=utf-8");
  EXPECT_STREQ(media_type("/a.js"), "text/javascript; charset=utf-8");
  EXPECT_STREQ(media_type("/a.worker.mjs"), "text/javascript; charset=utf-8");
  EXPECT_STREQ(media_type("/engine.wasm"), "application/wasm");
  EXPECT_STREQ(media_type("/app.webmanifest"), "application/manifest+json");
  for (const char* path : {"/font.sf3", "/mini-q8_0.gguf", "/LICENSE", "/a.b/c", "/a."})
    EXPECT_STREQ(media_type(path), "application/octet-stream") << path;
}

TEST(CachePolicy, KeepsOnlyWhatHasItsHashInTheName) {
  for (const char* path : {"/assets/index-Bq3xR9_d.js", "/assets/index-Ab_-12-Y.css",
                           "/assets/mini-3fa9c0d1e2b4a5f6.gguf", "/assets/a/engine.1234abcd.wasm"})
    EXPECT_STREQ(cache_policy(path), "public, max-age=31536000, immutable") << path;
  for (const char* path : {"/", "/index.html", "/sw.js", "/index-Bq3xR9_d.js", "/assets/", "/assets/piano.sf3",
                           "/assets/big-orchestra.sf3", "/assets/my-platform.js", "/assets/mini-q8_0.gguf",
                           "/sub/assets/index-Bq3xR9_d.js", "/assets/Bq3xR9_d.js"})
    EXPECT_STREQ(cache_policy(path), "no-cache") << path;
}

}  // namespace
}  // namespace midinf::server

// What a request may look like before anything answers it, and what every answer carries: text in, text out.
// Must not know: sockets, files, cpp-httplib. Read next: app_server.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace midinf::server {

/// Why a request gets no file: an HTTP status and one line for people.
struct Refusal {
  int status;
  std::string text;
};

/// A request's line and headers, found sound.
struct RequestHead {
  std::string forwarded;    ///< what the HTTP library may see: no Range (it trusts them), no query, no Accept-Encoding
  std::string range;        ///< the Range header's value, empty without one
  bool keep_alive = false;  ///< the client can take more answers on this connection
};

inline constexpr std::size_t kMostHeadBytes = 16'384;
inline constexpr std::size_t kMostTargetBytes = 4'096;
inline constexpr std::size_t kMostHeaderLineBytes = 8'000;

/// Checks `head`, the bytes up to and with the first empty line, of a request to a server on `port`. In this order: 400
/// what is not HTTP, 505, 414, 431; 421 for a Host that is not this machine's own name (a web page whose name was made
/// to point here, "DNS rebinding", has its own); 405 for a method other than GET and HEAD; 413 for a body. [any thread]
tl::expected<RequestHead, Refusal> parse_request_head(std::string_view head, int port);

/// The path of a request's target, decoded, without its query: it starts with / and has no empty segment but a last
/// one. 400 for what cannot be decoded and for control characters; 404 for a segment that starts with a dot: neither ..
/// nor hidden files are there.
tl::expected<std::string, Refusal> path_of_target(std::string_view target);

/// Bytes [first, first + length) of a file.
struct ByteRange {
  std::uint64_t first;
  std::uint64_t length;
};

/// The part of a file of `size` bytes that a Range header asks for: nothing (send all of it) where it asks for no
/// single range in bytes, 416 where the range lies outside.
tl::expected<std::optional<ByteRange>, Refusal> parse_range(std::string_view range, std::uint64_t size);

/// Whether an If-None-Match header names `etag`.
bool names_etag(std::string_view if_none_match, std::string_view etag);

/// On every answer: the page is isolated (so it may use threads), nobody else can embed what it consists of, types are
/// what we say, and no address is passed on.
inline constexpr std::array<std::pair<const char*, const char*>, 5> kSecurityHeaders{{
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Embedder-Policy", "require-corp"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
}};

/// The whole answer to a request that is refused; the connection ends after it. `to_head`: without a body.
std::string refusal_message(const Refusal& refusal, bool to_head);

}  // namespace midinf::server

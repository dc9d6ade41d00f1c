#include "server/http_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace midinf::server {
namespace {

tl::unexpected<Refusal> refuse(int status, std::string text) {
  return tl::make_unexpected(Refusal{status, std::move(text)});
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

bool is_token(std::string_view text) {
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || kMarks.find(c) != std::string_view::npos;
  });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Takes what stands before `separator` off `text`; all of it where there is none.
std::string_view take(std::string_view& text, std::string_view separator) {
  const std::size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + separator.size());
  return part;
}

bool lists_word(std::string_view list, std::string_view word) {
  while (!list.empty())
    if (same_word(trimmed(take(list, ",")), word)) return true;
  return false;
}

bool is_own_host(std::string_view host, int port) {
  for (const char* name : {"127.0.0.1", "localhost", "[::1]"}) {
    if (same_word(host, fmt::format("{}:{}", name, port))) return true;
    if (port == 80 && same_word(host, name)) return true;  // browsers leave the default one out
  }
  return false;
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char letter = lower(c);
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

// Digits only; what is too large counts as the largest number.
std::optional<std::uint64_t> number(std::string_view digits) {
  std::uint64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (digits.empty() || stop != end) return std::nullopt;
  return error == std::errc() ? value : std::numeric_limits<std::uint64_t>::max();
}

const char* reason(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Payload Too Large";
    case 414:
      return "URI Too Long";
    case 416:
      return "Range Not Satisfiable";
    case 421:
      return "Misdirected Request";
    case 431:
      return "Request Header Fields Too Large";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

}  // namespace

tl::expected<RequestHead, Refusal> parse_request_head(std::string_view head, int port) {
  std::string_view request_line = take(head, "\r\n");
  const std::string_view method = take(request_line, " ");
  const std::string_view target = take(request_line, " ");
  const std::string_view version = request_line;
  if (!is_token(method) || !version.starts_with("HTTP/") || target.empty())
    return refuse(400, "this is no HTTP request");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return refuse(505, "only HTTP/1.1 is spoken here");
  if (target.size() > kMostTargetBytes) return refuse(414, "the address is too long");
  // The library would take a control character for the end of the line, and # for the end of the path.
  if (target.front() != '/' || std::any_of(target.begin(), target.end(), is_control) ||
      target.find('#') != std::string_view::npos)
    return refuse(400, "the address has to be a path that starts with /");

  RequestHead result;
  result.forwarded = fmt::format("{} {} {}\r\n", method, target.substr(0, target.find('?')), version);
  result.keep_alive = version == "HTTP/1.1";
  std::string_view host;
  int hosts = 0, ranges = 0;
  bool body = false;
  for (std::string_view line = take(head, "\r\n"); !line.empty(); line = take(head, "\r\n")) {
    if (line.size() > kMostHeaderLineBytes) return refuse(431, "a header is too long");
    const std::string_view whole = line;
    const std::string_view name = take(line, ":");
    const std::string_view value = trimmed(line);
    if (name.size() == whole.size() || !is_token(name) ||
        std::any_of(value.begin(), value.end(), [](char c) { return is_control(c) && c != '\t'; }))
      return refuse(400, "a header is malformed");
    if (same_word(name, "Host")) {
      host = value;
      ++hosts;
    } else if (same_word(name, "Range")) {
      result.range = value;
      ++ranges;
      continue;
    } else if (same_word(name, "Connection")) {
      result.keep_alive = version == "HTTP/1.1" ? !lists_word(value, "close") : false;
      continue;
    } else if (same_word(name, "Transfer-Encoding") || (same_word(name, "Content-Length") && value != "0")) {
      body = true;
    } else if (same_word(name, "Content-Length") || same_word(name, "Accept-Encoding") || same_word(name, "Expect")) {
      continue;
    }
    result.forwarded.append(whole).append("\r\n");
  }
  if (hosts > 1 || (hosts == 0 && version == "HTTP/1.1")) return refuse(400, "a request names one host");
  if (!is_own_host(host, port))
    return refuse(421, fmt::format("this server answers to http://127.0.0.1:{}/ only", port));
  if (method != "GET" && method != "HEAD") return refuse(405, "only GET and HEAD are answered");
  if (body) return refuse(413, "a request carries no body here");
  if (ranges > 1) result.range.clear();
  result.forwarded += "\r\n";
  return result;
}

tl::expected<std::string, Refusal> path_of_target(std::string_view target) {
  target = take(target, "?");
  if (!target.starts_with('/')) return refuse(400, "the address has to be a path that starts with /");
  std::string path;
  for (std::size_t i = 0; i < target.size(); ++i) {
    char c = target[i];
    if (c == '%') {
      const int high = i + 2 < target.size() ? digit_of(target[i + 1]) : -1;
      const int low = high < 0 ? -1 : digit_of(target[i + 2]);
      if (low < 0) return refuse(400, "a % in an address is followed by two hexadecimal digits");
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (is_control(c) || c == '\\') return refuse(400, "no file here has such a name");
    path += c;
  }
  std::string_view rest = path;
  rest.remove_prefix(1);
  while (!rest.empty()) {
    const std::string_view segment = take(rest, "/");
    if (segment.empty() || segment.front() == '.') return refuse(404, "there is no such file");
  }
  return path;
}

tl::expected<std::optional<ByteRange>, Refusal> parse_range(std::string_view range, std::uint64_t size) {
  const std::optional<ByteRange> all;
  std::string_view rest = range;
  if (!same_word(trimmed(take(rest, "=")), "bytes")) return all;
  rest = trimmed(rest);
  const std::size_t dash = rest.find('-');
  if (dash == std::string_view::npos) return all;
  const std::optional<std::uint64_t> from = number(rest.substr(0, dash)), to = number(rest.substr(dash + 1));
  if ((dash > 0 && !from) || (dash + 1 < rest.size() && !to) || (!from && !to) || (from && to && *from > *to))
    return all;  // two ranges too: a comma is no digit
  if (from ? *from >= size : *to == 0 || size == 0) return refuse(416, "the file has no such part");
  if (!from) {
    const std::uint64_t length = std::min(*to, size);
    return ByteRange{size - length, length};
  }
  const std::uint64_t last = std::min(to.value_or(size - 1), size - 1);
  return ByteRange{*from, last - *from + 1};
}

bool names_etag(std::string_view if_none_match, std::string_view etag) {
  while (!if_none_match.empty()) {
    std::string_view named = trimmed(take(if_none_match, ","));
    if (named.starts_with("W/")) named.remove_prefix(2);
    if (named == etag || named == "*") return true;
  }
  return false;
}

std::string refusal_message(const Refusal& refusal, bool to_head) {
  std::string message = fmt::format(
      "HTTP/1.1 {} {}\r\nConnection: close\r\nCache-Control: no-store\r\nContent-Type: text/plain; charset=utf-8\r\n"
      "Content-Length: {}\r\n",
      refusal.status, reason(refusal.status), refusal.text.size() + 1);
  if (refusal.status == 405) message += "Allow: GET, HEAD\r\n";
  for (const auto& [name, value] : kSecurityHeaders) message += fmt::format("{}: {}\r\n", name, value);
  message += "\r\n";
  if (!to_head) message += refusal.text + "\n";
  return message;
}

}  // namespace midinf::server

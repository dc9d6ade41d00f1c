#include "c_api/boundary.h"

#include <array>
#include <cstdlib>
#include <string_view>

namespace midinf {
namespace {

// An array, so that remembering a failure cannot fail itself.
thread_local std::array<char, 1024> last_error{};

midinf_status status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return MIDINF_STATUS_INVALID_ARGUMENT;
    case ErrorCode::kNotFound:
      return MIDINF_STATUS_NOT_FOUND;
    case ErrorCode::kIo:
      return MIDINF_STATUS_IO;
    case ErrorCode::kCorrupt:
      return MIDINF_STATUS_CORRUPT;
    case ErrorCode::kUnsupported:
      return MIDINF_STATUS_UNSUPPORTED;
    case ErrorCode::kOutOfMemory:
      return MIDINF_STATUS_OUT_OF_MEMORY;
    case ErrorCode::kCancelled:
      return MIDINF_STATUS_CANCELLED;
  }
  return MIDINF_STATUS_INTERNAL;
}

}  // namespace

midinf_status report(midinf_status status, const char* text) noexcept {
  std::string_view kept = text;
  if (kept.size() >= last_error.size()) {
    std::size_t end = last_error.size() - 1;
    while (end > 0 && (static_cast<unsigned char>(kept[end]) & 0xC0) == 0x80) --end;  // not within a character
    kept = kept.substr(0, end);
  }
  std::copy(kept.begin(), kept.end(), last_error.begin());
  last_error[kept.size()] = '\0';
  return status;
}

midinf_status report(const Error& error) {
  return report(status_of(error.code), error.to_string().c_str());
}

void bytes_out(std::span<const std::byte> bytes, void** out, std::size_t* size) {
  void* copy = std::malloc(std::max<std::size_t>(bytes.size(), 1));
  if (copy == nullptr) throw std::bad_alloc();
  if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
  *out = copy;
  *size = bytes.size();
}

}  // namespace midinf

extern "C" {

const char* midinf_last_error(void) {
  return midinf::last_error.data();
}

const char* midinf_status_name(midinf_status status) {
  switch (midinf::raw_number(status)) {
    case MIDINF_STATUS_OK:
      return "ok";
    case MIDINF_STATUS_INVALID_ARGUMENT:
      return "invalid argument";
    case MIDINF_STATUS_NOT_FOUND:
      return "not found";
    case MIDINF_STATUS_IO:
      return "input or output";
    case MIDINF_STATUS_CORRUPT:
      return "corrupt";
    case MIDINF_STATUS_UNSUPPORTED:
      return "unsupported";
    case MIDINF_STATUS_OUT_OF_MEMORY:
      return "out of memory";
    case MIDINF_STATUS_CANCELLED:
      return "cancelled";
    case MIDINF_STATUS_INTERNAL:
      return "internal";
    default:
      return "unknown status";
  }
}

const char* midinf_version(void) {
  return MIDINF_VERSION;
}

void midinf_buffer_free(void* bytes) {
  std::free(bytes);
}
}

// The boundary between C and C++: no exception crosses it, every failure becomes a status and one line of text, and
// nothing that a caller hands over is used before it has been looked at.
// Must not know: music, networks. Read next: model.cc, then stream.cc (the functions themselves).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <exception>
#include <limits>
#include <new>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "midinfinite/midinfinite.h"

namespace midinf {

/// Remembers `text` for midinf_last_error and returns `status`.
midinf_status report(midinf_status status, const char* text) noexcept;
midinf_status report(const Error& error);

/// Runs a function's body, which returns Result<void>, and turns whatever comes of it into a status.
template <class Body>
midinf_status guarded(const Body& body) noexcept {
  try {
    const Result<void> done = body();
    return done ? MIDINF_STATUS_OK : report(done.error());
  } catch (const std::bad_alloc&) {
    return report(MIDINF_STATUS_OUT_OF_MEMORY, "there is not enough memory for this");
  } catch (const std::exception& exception) {
    return report(MIDINF_STATUS_INTERNAL, exception.what());
  } catch (...) {
    return report(MIDINF_STATUS_INTERNAL, "an exception of an unknown kind");
  }
}

// ---- what comes in

inline tl::unexpected<Error> refuse(std::string message, const char* argument) {
  return fail(ErrorCode::kInvalidArgument, std::move(message), argument);
}

inline Result<void> require(const void* pointer, const char* argument) {
  if (pointer != nullptr) return {};
  return refuse("is NULL", argument);
}

/// `count` elements at `data`; none may be NULL.
template <class T>
Result<std::span<const T>> array_in(const T* data, std::size_t count, const char* argument) {
  if (count > 0) MIDINF_TRY(require(data, argument));
  if (count > static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) / sizeof(T))
    return refuse("has an impossible count", argument);
  return std::span<const T>(data, count);
}

inline Result<std::span<const std::byte>> bytes_in(const void* data, std::size_t size, const char* argument) {
  return array_in(static_cast<const std::byte*>(data), size, argument);
}

/// Sizes beyond this are no struct of any version.
inline constexpr std::size_t kMostStructSize = 4096;

inline Result<void> check_struct(const void* given, const char* argument) {
  MIDINF_TRY(require(given, argument));
  std::size_t size = 0;
  std::memcpy(&size, given, sizeof size);
  if (size > sizeof size && size <= kMostStructSize) return {};
  return refuse("struct_size is not set; it is sizeof the struct, which its _init function fills in", argument);
}

/// A struct that may come from an older or a newer header: fields that it does not have are as in `defaults`.
template <class T>
Result<T> struct_in(const T* given, const T& defaults, const char* argument) {
  MIDINF_TRY(check_struct(given, argument));
  T value = defaults;
  std::memcpy(&value, given, std::min(given->struct_size, sizeof(T)));
  return value;
}

/// An enum or a bool of C, which may hold anything.
template <class T>
auto raw_number(const T& field) {
  std::conditional_t<sizeof(T) == 1, unsigned char, int> value;
  static_assert(sizeof value == sizeof field);
  std::memcpy(&value, &field, sizeof value);
  return value;
}

/// Seconds of music as its steps; what is too far away counts as the farthest.
inline Result<Ticks10ms> ticks_in(double seconds, const char* argument) {
  constexpr double kFarthest = 1e10;
  if (std::isnan(seconds)) return refuse("is not a number", argument);
  return to_ticks(Seconds(std::clamp(seconds, -kFarthest, kFarthest)));
}

template <class Number>
Result<void> check_range(Number value, Number lowest, Number highest, const char* argument) {
  if (value >= lowest && value <= highest) return {};  // NaN lies in no range
  return refuse(
      std::to_string(value) + " is no number from " + std::to_string(lowest) + " to " + std::to_string(highest),
      argument);
}

// ---- what goes out

/// Fills in as much of `out` as its struct_size says. Precondition: check_struct(out).
template <class T>
void struct_out(T value, T* out) {
  const std::size_t size = out->struct_size;
  value.struct_size = size;
  std::memcpy(out, &value, std::min(size, sizeof(T)));
}

/// Writes a default-made struct, size and all.
template <class T>
void struct_init(T* out, T value) noexcept {
  if (out == nullptr) return;
  value.struct_size = sizeof(T);
  *out = value;
}

inline Result<void> check_array_out(const void* out, std::size_t capacity, const std::size_t* count,
                                    const char* argument) {
  if (capacity > 0) MIDINF_TRY(require(out, argument));
  return require(count, "count");
}

/// At most `capacity` of `values`, and how many there are. Precondition: check_array_out.
template <class From, class To, class Convert>
void array_out(const std::vector<From>& values, To* out, std::size_t capacity, std::size_t* count,
               const Convert& convert) {
  std::transform(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(std::min(capacity, values.size())), out,
                 convert);
  *count = values.size();
}

/// A copy that midinf_buffer_free takes back. Precondition: neither is NULL.
void bytes_out(std::span<const std::byte> bytes, void** out, std::size_t* size);

}  // namespace midinf

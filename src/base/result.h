// How the project reports what can go wrong outside our own code: a value or an Error, never an exception.
// Must not know: anything above base. Read next: time.h.
#pragma once

#include <source_location>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace midinf {

/// What kind of thing went wrong; callers decide on this, people read Error::message.
enum class ErrorCode {
  kInvalidArgument,  ///< the caller asked for something that makes no sense
  kNotFound,         ///< a file or a name does not exist
  kIo,               ///< the system refused: permission, full disk, broken pipe
  kCorrupt,          ///< the bytes break the rules of their own format
  kUnsupported,      ///< valid, but not something that we handle
  kOutOfMemory,      ///< the system gives no more memory
  kCancelled,        ///< whoever asked for it said stop
};

/// One failure, in one line: what went wrong and what to do, and where (a path, an offset, a tensor, a flag).
struct Error {
  ErrorCode code;
  std::string message;
  std::string where;

  /// "where: message", or the message alone when the place is unknown.
  [[nodiscard]] std::string to_string() const;
};

/// A T, or why there is none.
template <class T>
using Result = tl::expected<T, Error>;

/// The failing side of a Result.
inline tl::unexpected<Error> fail(ErrorCode code, std::string message, std::string where = {}) {
  return tl::make_unexpected(Error{code, std::move(message), std::move(where)});
}

/// Puts `where` before the place that the error already names: outer context first, as in "song.mid: byte 40".
Error with_context(Error error, const std::string& where);

[[noreturn]] void assertion_failed(const char* condition, std::source_location at);

}  // namespace midinf

/// For our own bugs only; bytes, paths and parameters that are wrong return an Error.
#define MIDINF_ASSERT(condition) \
  ((condition) ? void() : ::midinf::assertion_failed(#condition, std::source_location::current()))

/// Returns the error of `expression` from the enclosing function, if there is one.
#define MIDINF_TRY(expression)                                            \
  do {                                                                    \
    if (auto midinf_try_result = (expression); !midinf_try_result)        \
      return ::tl::make_unexpected(std::move(midinf_try_result).error()); \
  } while (false)

/// Declares `name` as the value of `expression`, or returns its error from the enclosing function.
#define MIDINF_TRY_ASSIGN(name, expression)                                               \
  auto name##_or_error = (expression);                                                    \
  if (!name##_or_error) return ::tl::make_unexpected(std::move(name##_or_error).error()); \
  auto& name = *name##_or_error /* NOLINT */

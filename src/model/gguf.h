// GGUF version 3, the container: typed keys, then named tensors, aligned so that a mapped file can be used in place.
// Must not know: networks, which keys mean what. Read next: gguf_checkpoint.h (what a GPT-2 file holds), convert.h (who
// writes one). Source: the format's description in ggml (docs/gguf.md) and what llama.cpp's reader insists on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/dtype.h"
#include "base/file.h"
#include "base/result.h"

namespace midinf {

/// What is kept of an array (a tokenizer's words, say): we read none, so only its size is remembered.
struct GgufArray {
  std::uint32_t element_type = 0;  ///< as the format numbers them, the order of GgufValue
  std::uint64_t count = 0;
  bool operator==(const GgufArray&) const = default;
};

/// A key's value; the index of the alternative is the format's number of the type.
using GgufValue = std::variant<std::uint8_t, std::int8_t, std::uint16_t, std::int16_t, std::uint32_t, std::int32_t,
                               float, bool, std::string, GgufArray, std::uint64_t, std::int64_t, double>;

/// Keys and values in file order.
using GgufMetadata = std::vector<std::pair<std::string, GgufValue>>;

/// The value of `key`, or nothing.
const GgufValue* find_key(const GgufMetadata& metadata, std::string_view key);

/// The value as a number, when it is an integer of any width and not negative.
std::optional<std::uint64_t> as_count(const GgufValue& value);

/// A tensor in a file. Dimensions stand innermost first, as the format has them: a matrix [rows, columns] is
/// {columns, rows}.
struct GgufTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::uint64_t> dimensions;
  std::span<const std::byte> bytes;  ///< in the file; empty in a tensor that is yet to be written
};

/// A whole file. The tensors point into the bytes that it was parsed from.
struct Gguf {
  GgufMetadata metadata;
  std::vector<GgufTensor> tensors;  ///< in the order of the file's table
};

/// Whether a file that begins like this is a GGUF file.
bool looks_like_gguf(std::span<const std::byte> file);

/// Reads a file's tables; tensor bytes stay where they are. Every count, length and offset is checked against the
/// length of the file before it is used. Errors: kCorrupt for anything that breaks the format (keys or tensors that
/// stand twice, tensors that overlap, are misaligned or pass the end of the file, …), kUnsupported for other versions
/// and for element types other than f32, f16, bf16, q8_0 and q4_0, naming the first tensor that has one. [any thread]
Result<Gguf> parse_gguf(std::span<const std::byte> file);

/// Writes a file: tensors in the given order, back to back, each start and the end aligned to 32 bytes. `bytes_of(i)`
/// yields tensor i's bytes, is called once for each in order, and what it returns is dropped before the next call.
/// The same input gives the same bytes. Precondition: no arrays in `metadata`, no general.alignment. Errors: those of
/// `bytes_of` and `out`. [main]
Result<void> write_gguf(FileWriter& out, const GgufMetadata& metadata, std::span<const GgufTensor> tensors,
                        const std::function<Result<std::vector<std::byte>>(std::size_t)>& bytes_of);

}  // namespace midinf

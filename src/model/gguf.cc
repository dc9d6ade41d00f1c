#include "model/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <set>

#include "base/bytes.h"
#include "model/raw_tensor.h"

namespace midinf {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::uint32_t kVersion = 3;
constexpr std::uint64_t kAlignment = 32;
constexpr std::string_view kAlignmentKey = "general.alignment";
constexpr std::uint32_t kMaxDimensions = 4;
constexpr std::uint64_t kMaxNameBytes = 64;
constexpr std::uint64_t kMaxKeyBytes = 65535;
constexpr int kMaxArrayDepth = 4;
constexpr std::uint32_t kString = 8;
constexpr std::uint32_t kArray = 9;

// Bytes that a value of each type takes at least; its number is the index.
constexpr std::array<std::uint64_t, 13> kValueBytes = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};
static_assert(std::variant_size_v<GgufValue> == kValueBytes.size());

// ggml's numbers of the element types that we read and write.
constexpr std::array<std::pair<std::uint32_t, DType>, 5> kElementTypes = {
    {{0, DType::kF32}, {1, DType::kF16}, {2, DType::kQ4_0}, {8, DType::kQ8_0}, {30, DType::kBF16}}};

std::string element_type_name(std::uint32_t type) {
  constexpr std::array<std::string_view, 31> kNames = {
      "F32",   "F16",    "Q4_0", "Q4_1", "Q4_2", "Q4_3",    "Q5_0",   "Q5_1",    "Q8_0",  "Q8_1",   "Q2_K",
      "Q3_K",  "Q4_K",   "Q5_K", "Q6_K", "Q8_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S",
      "IQ2_S", "IQ4_XS", "I8",   "I16",  "I32",  "I64",     "F64",    "IQ1_M",   "BF16"};
  return type < kNames.size() ? std::string(kNames[type]) : fmt::format("number {}", type);
}

tl::unexpected<Error> corrupt(std::string message, std::string where = {}) {
  return fail(ErrorCode::kCorrupt, std::move(message), std::move(where));
}

tl::unexpected<Error> cut_short(const ByteCursor& cursor, std::string_view what) {
  return corrupt(fmt::format("the file ends within {}; download it again", what),
                 fmt::format("byte {}", cursor.position()));
}

std::uint64_t align_up(std::uint64_t position, std::uint64_t alignment) {
  return (position + alignment - 1) & ~(alignment - 1);
}

std::string key_place(std::string_view key) {
  return fmt::format("key '{}'", key);
}
std::string tensor_place(std::string_view name) {
  return fmt::format("tensor '{}'", name);
}

// ---- reading --------------------------------------------------------------------------------------------------------

Result<std::string> read_string(ByteCursor& cursor, std::uint64_t max, std::string_view what) {
  const auto length = cursor.little_endian<std::uint64_t>();
  if (!length) return cut_short(cursor, what);
  if (*length > max)
    return corrupt(fmt::format("{} of {} bytes; the limit is {}", what, *length, max),
                   fmt::format("byte {}", cursor.position()));
  const auto text = cursor.take_text(*length);
  if (!text) return cut_short(cursor, what);
  return std::string(*text);
}

Result<GgufArray> read_array(ByteCursor& cursor, int depth) {
  const auto type = cursor.little_endian<std::uint32_t>();
  const auto count = cursor.little_endian<std::uint64_t>();
  if (!type || !count) return cut_short(cursor, "an array");
  if (*type >= kValueBytes.size()) return corrupt(fmt::format("array of unknown type {}", *type));
  if (*count > cursor.remaining() / kValueBytes[*type]) return cut_short(cursor, fmt::format("an array of {}", *count));
  if (*type == kArray && depth == kMaxArrayDepth) return corrupt("arrays nested too deeply");
  if (*type != kString && *type != kArray) {
    static_cast<void>(cursor.take(*count * kValueBytes[*type]));
    return GgufArray{*type, *count};
  }
  for (std::uint64_t i = 0; i < *count; ++i) {
    if (*type == kArray) {
      MIDINF_TRY(read_array(cursor, depth + 1));
    } else {
      const auto length = cursor.little_endian<std::uint64_t>();
      if (!length || !cursor.take(*length)) return cut_short(cursor, "an array of strings");
    }
  }
  return GgufArray{*type, *count};
}

template <class T>
Result<GgufValue> read_number(ByteCursor& cursor) {
  const auto value = cursor.little_endian<T>();
  if (!value) return cut_short(cursor, "a value");
  return GgufValue(std::in_place_type<T>, *value);
}

Result<GgufValue> read_value(ByteCursor& cursor) {
  const auto type = cursor.little_endian<std::uint32_t>();
  if (!type) return cut_short(cursor, "a value");
  switch (*type) {
    case 0:
      return read_number<std::uint8_t>(cursor);
    case 1:
      return read_number<std::int8_t>(cursor);
    case 2:
      return read_number<std::uint16_t>(cursor);
    case 3:
      return read_number<std::int16_t>(cursor);
    case 4:
      return read_number<std::uint32_t>(cursor);
    case 5:
      return read_number<std::int32_t>(cursor);
    case 6:
      return read_number<float>(cursor);
    case 7: {
      const auto value = cursor.u8();
      if (!value) return cut_short(cursor, "a value");
      if (*value > 1) return corrupt(fmt::format("{} is neither true nor false", *value));
      return GgufValue(*value == 1);
    }
    case kString: {
      MIDINF_TRY_ASSIGN(text, read_string(cursor, cursor.remaining(), "a text"));
      return GgufValue(std::move(text));
    }
    case kArray: {
      MIDINF_TRY_ASSIGN(array, read_array(cursor, 1));
      return GgufValue(array);
    }
    case 10:
      return read_number<std::uint64_t>(cursor);
    case 11:
      return read_number<std::int64_t>(cursor);
    case 12:
      return read_number<double>(cursor);
    default:
      return corrupt(fmt::format("unknown type {}", *type));
  }
}

Result<GgufMetadata> read_metadata(ByteCursor& cursor, std::uint64_t count) {
  GgufMetadata metadata;
  std::set<std::string> seen;
  for (std::uint64_t i = 0; i < count; ++i) {
    MIDINF_TRY_ASSIGN(key, read_string(cursor, kMaxKeyBytes, "a key"));
    auto value = read_value(cursor);
    if (!value) return tl::make_unexpected(with_context(value.error(), key_place(key)));
    if (!seen.insert(key).second) return corrupt("the key stands twice", key_place(key));
    metadata.emplace_back(std::move(key), std::move(*value));
  }
  return metadata;
}

// A tensor's entry in the table; offset is from the start of the data.
struct TableEntry {
  GgufTensor tensor;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

Result<TableEntry> read_entry(ByteCursor& cursor, std::uint64_t file_size) {
  TableEntry entry;
  MIDINF_TRY_ASSIGN(name, read_string(cursor, kMaxNameBytes, "a tensor's name"));
  const std::string place = tensor_place(name);
  const auto dimension_count = cursor.little_endian<std::uint32_t>();
  if (!dimension_count) return cut_short(cursor, "the table of tensors");
  if (*dimension_count < 1 || *dimension_count > kMaxDimensions)
    return corrupt(fmt::format("{} dimensions; 1 to {} are possible", *dimension_count, kMaxDimensions), place);
  for (std::uint32_t i = 0; i < *dimension_count; ++i) {
    const auto size = cursor.little_endian<std::uint64_t>();
    if (!size) return cut_short(cursor, "the table of tensors");
    if (*size == 0) return corrupt("a dimension of 0", place);
    entry.tensor.dimensions.push_back(*size);
  }
  const auto type = cursor.little_endian<std::uint32_t>();
  const auto offset = cursor.little_endian<std::uint64_t>();
  if (!type || !offset) return cut_short(cursor, "the table of tensors");
  const auto known =
      std::find_if(kElementTypes.begin(), kElementTypes.end(), [&](const auto& t) { return t.first == *type; });
  if (known == kElementTypes.end())
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("element type {}; f32, f16, bf16, q8_0 and q4_0 are supported, so convert the original again",
                    element_type_name(*type)),
        place);
  entry.tensor.name = std::move(name);
  entry.tensor.dtype = known->second;
  entry.offset = *offset;

  // A byte holds at most two numbers in all our types, so no honest tensor has more than twice as many as the file.
  const std::uint64_t columns = entry.tensor.dimensions[0];
  const auto elements = element_count(entry.tensor.dimensions, 2 * file_size);
  if (!elements || columns > std::numeric_limits<int>::max())
    return corrupt(fmt::format("shape {} does not fit into the file", shape_text(entry.tensor.dimensions)), place);
  if (is_quantized(entry.tensor.dtype) && columns % kQuantBlock != 0)
    return corrupt(fmt::format("rows of {} numbers cannot be {}, whose blocks hold {}", columns,
                               dtype_name(entry.tensor.dtype), kQuantBlock),
                   place);
  entry.size = *elements / columns * row_bytes(entry.tensor.dtype, static_cast<int>(columns));
  return entry;
}

// Points every tensor at its bytes. The entries must not share any.
Result<void> place_tensors(std::vector<TableEntry>& entries, std::span<const std::byte> data, std::uint64_t alignment) {
  for (TableEntry& entry : entries) {
    const std::string place = tensor_place(entry.tensor.name);
    if (entry.offset % alignment != 0)
      return corrupt(fmt::format("offset {} is no multiple of the alignment {}", entry.offset, alignment), place);
    if (entry.offset > data.size() || entry.size > data.size() - entry.offset)
      return corrupt(fmt::format("its {} bytes pass the end of the file; download it again", entry.size), place);
    entry.tensor.bytes = data.subspan(static_cast<std::size_t>(entry.offset), static_cast<std::size_t>(entry.size));
  }
  std::vector<const TableEntry*> by_offset;
  for (const TableEntry& entry : entries) by_offset.push_back(&entry);
  std::sort(by_offset.begin(), by_offset.end(),
            [](const TableEntry* a, const TableEntry* b) { return a->offset < b->offset; });
  for (std::size_t i = 1; i < by_offset.size(); ++i)
    if (by_offset[i - 1]->offset + by_offset[i - 1]->size > by_offset[i]->offset)
      return corrupt(fmt::format("its bytes overlap those of tensor '{}'", by_offset[i - 1]->tensor.name),
                     tensor_place(by_offset[i]->tensor.name));
  return {};
}

Result<std::uint64_t> alignment_of(const GgufMetadata& metadata) {
  const GgufValue* value = find_key(metadata, kAlignmentKey);
  if (!value) return kAlignment;
  const auto* alignment = std::get_if<std::uint32_t>(value);
  if (!alignment || *alignment < 8 || !std::has_single_bit(*alignment))
    return corrupt("must be an unsigned 32-bit power of two of at least 8", key_place(kAlignmentKey));
  return *alignment;
}

// ---- writing --------------------------------------------------------------------------------------------------------

// The tables are small, so they are put together in memory first.
class TableWriter {
 public:
  template <class T>
    requires std::is_arithmetic_v<T>
  void number(T value) {
    static_assert(std::endian::native == std::endian::little);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view value) {
    number<std::uint64_t>(value.size());
    bytes_.append(value);
  }
  void raw(std::string_view value) { bytes_.append(value); }
  void value(const GgufValue& value) {
    MIDINF_ASSERT(!std::holds_alternative<GgufArray>(value));
    number(static_cast<std::uint32_t>(value.index()));
    std::visit(
        [this](const auto& v) {
          using T = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<T, std::string>) {
            text(v);
          } else if constexpr (std::is_same_v<T, bool>) {
            number<std::uint8_t>(v ? 1 : 0);
          } else if constexpr (!std::is_same_v<T, GgufArray>) {
            number(v);
          }
        },
        value);
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

std::uint64_t stored_bytes(const GgufTensor& tensor) {
  std::uint64_t rows = 1;
  for (std::size_t i = 1; i < tensor.dimensions.size(); ++i) rows *= tensor.dimensions[i];
  return rows * row_bytes(tensor.dtype, static_cast<int>(tensor.dimensions[0]));
}

Result<void> write_padding(FileWriter& out, std::uint64_t position) {
  constexpr std::array<std::byte, kAlignment> kZeros{};
  const auto count = static_cast<std::size_t>(align_up(position, kAlignment) - position);
  return out.write(std::span(kZeros).first(count));
}

}  // namespace

const GgufValue* find_key(const GgufMetadata& metadata, std::string_view key) {
  const auto found =
      std::find_if(metadata.begin(), metadata.end(), [&](const auto& pair) { return pair.first == key; });
  return found == metadata.end() ? nullptr : &found->second;
}

std::optional<std::uint64_t> as_count(const GgufValue& value) {
  return std::visit(
      [](const auto& v) -> std::optional<std::uint64_t> {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
          if (v >= 0) return static_cast<std::uint64_t>(v);
        }
        return std::nullopt;
      },
      value);
}

bool looks_like_gguf(std::span<const std::byte> file) {
  return file.size() >= kMagic.size() && std::memcmp(file.data(), kMagic.data(), kMagic.size()) == 0;
}

Result<Gguf> parse_gguf(std::span<const std::byte> file) {
  if (!looks_like_gguf(file)) return corrupt("not a GGUF file: it does not begin with 'GGUF'");
  ByteCursor cursor(file);
  static_cast<void>(cursor.take(kMagic.size()));
  const auto version = cursor.little_endian<std::uint32_t>();
  const auto tensor_count = cursor.little_endian<std::uint64_t>();
  const auto key_count = cursor.little_endian<std::uint64_t>();
  if (!version || !tensor_count || !key_count) return cut_short(cursor, "its header");
  if (*version != kVersion)
    return fail(ErrorCode::kUnsupported,
                (*version & 0xFFFFU) == 0
                    ? std::string("a big-endian GGUF file; only little-endian ones are supported")
                    : fmt::format("GGUF version {}; only version {} is supported", *version, kVersion));
  // The least that a key (length, type, value) and a table entry (length, dimensions, type, offset) can take.
  if (*key_count > cursor.remaining() / 13) return corrupt(fmt::format("{} keys do not fit into the file", *key_count));
  if (*tensor_count > cursor.remaining() / 32)
    return corrupt(fmt::format("{} tensors do not fit into the file", *tensor_count));

  Gguf gguf;
  MIDINF_TRY_ASSIGN(metadata, read_metadata(cursor, *key_count));
  gguf.metadata = std::move(metadata);
  MIDINF_TRY_ASSIGN(alignment, alignment_of(gguf.metadata));
  std::vector<TableEntry> entries;
  std::set<std::string> seen;
  for (std::uint64_t i = 0; i < *tensor_count; ++i) {
    MIDINF_TRY_ASSIGN(entry, read_entry(cursor, file.size()));
    if (!seen.insert(entry.tensor.name).second)
      return corrupt("the tensor stands twice", tensor_place(entry.tensor.name));
    entries.push_back(std::move(entry));
  }
  const std::uint64_t data_start = align_up(cursor.position(), alignment);
  const auto data = file.subspan(static_cast<std::size_t>(std::min<std::uint64_t>(data_start, file.size())));
  MIDINF_TRY(place_tensors(entries, data, alignment));
  for (TableEntry& entry : entries) gguf.tensors.push_back(std::move(entry.tensor));
  return gguf;
}

Result<void> write_gguf(FileWriter& out, const GgufMetadata& metadata, std::span<const GgufTensor> tensors,
                        const std::function<Result<std::vector<std::byte>>(std::size_t)>& bytes_of) {
  MIDINF_ASSERT(!find_key(metadata, kAlignmentKey));
  TableWriter table;
  table.raw(kMagic);
  table.number(kVersion);
  table.number<std::uint64_t>(tensors.size());
  table.number<std::uint64_t>(metadata.size());
  for (const auto& [key, value] : metadata) {
    table.text(key);
    table.value(value);
  }
  // llama.cpp's reader wants every tensor to start where the one before it ends, rounded up.
  std::uint64_t offset = 0;
  for (const GgufTensor& tensor : tensors) {
    const auto type = std::find_if(kElementTypes.begin(), kElementTypes.end(),
                                   [&](const auto& t) { return t.second == tensor.dtype; });
    table.text(tensor.name);
    table.number(static_cast<std::uint32_t>(tensor.dimensions.size()));
    for (const std::uint64_t size : tensor.dimensions) table.number(size);
    table.number(type->first);
    table.number(offset);
    offset = align_up(offset + stored_bytes(tensor), kAlignment);
  }
  MIDINF_TRY(out.write(table.bytes()));
  MIDINF_TRY(write_padding(out, table.bytes().size()));
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    MIDINF_TRY_ASSIGN(bytes, bytes_of(i));
    MIDINF_ASSERT(bytes.size() == stored_bytes(tensors[i]));
    MIDINF_TRY(out.write(bytes));
    MIDINF_TRY(write_padding(out, bytes.size()));
  }
  return {};
}

}  // namespace midinf

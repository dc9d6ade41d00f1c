#include "model/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"

namespace midinf {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the limit of the reference implementation

struct ElementType {
  std::string_view name;
  std::uint64_t bytes;
  std::optional<DType> dtype;
};

constexpr std::array<ElementType, 15> kElementTypes = {{{"F32", 4, DType::kF32},
                                                        {"F16", 2, DType::kF16},
                                                        {"BF16", 2, DType::kBF16},
                                                        {"F64", 8, {}},
                                                        {"I64", 8, {}},
                                                        {"U64", 8, {}},
                                                        {"I32", 4, {}},
                                                        {"U32", 4, {}},
                                                        {"I16", 2, {}},
                                                        {"U16", 2, {}},
                                                        {"I8", 1, {}},
                                                        {"U8", 1, {}},
                                                        {"BOOL", 1, {}},
                                                        {"F8_E4M3", 1, {}},
                                                        {"F8_E5M2", 1, {}}}};

tl::unexpected<Error> corrupt(std::string message, std::string where = {}) {
  return fail(ErrorCode::kCorrupt, std::move(message), std::move(where));
}

std::string tensor_place(std::string_view name) {
  return fmt::format("tensor '{}'", name);
}

// A JSON array of non-negative integers, or nothing.
std::optional<std::vector<std::uint64_t>> counts(const json& value) {
  if (!value.is_array()) return std::nullopt;
  std::vector<std::uint64_t> numbers;
  for (const json& item : value) {
    if (!item.is_number_unsigned()) return std::nullopt;
    numbers.push_back(item.get<std::uint64_t>());
  }
  return numbers;
}

Result<RawTensor> parse_entry(const std::string& name, const json& entry, std::span<const std::byte> data) {
  const auto field = [&](const char* key) -> const json* {
    if (!entry.is_object()) return nullptr;
    const auto found = entry.find(key);
    return found == entry.end() ? nullptr : &*found;
  };
  const json* type = field("dtype");
  const json* shape_field = field("shape");
  const json* offsets_field = field("data_offsets");
  const auto shape = shape_field ? counts(*shape_field) : std::nullopt;
  const auto offsets = offsets_field ? counts(*offsets_field) : std::nullopt;
  if (!type || !type->is_string() || !shape || !offsets || offsets->size() != 2)
    return corrupt("its header entry needs dtype, shape and data_offsets; the file is damaged", tensor_place(name));

  RawTensor tensor;
  tensor.name = name;
  tensor.type = type->get<std::string>();
  tensor.shape = *shape;
  const auto known = std::find_if(kElementTypes.begin(), kElementTypes.end(),
                                  [&](const ElementType& e) { return e.name == tensor.type; });
  if (known == kElementTypes.end())
    return fail(ErrorCode::kUnsupported, fmt::format("unknown element type '{}'", tensor.type), tensor_place(name));
  tensor.dtype = known->dtype;

  const std::uint64_t begin = (*offsets)[0];
  const std::uint64_t end = (*offsets)[1];
  if (begin > end || end > data.size())
    return corrupt(fmt::format("its bytes {}..{} lie outside the {} bytes of data; the file is damaged or cut short",
                               begin, end, data.size()),
                   tensor_place(name));
  const auto elements = element_count(tensor.shape, data.size() / known->bytes);
  if (!elements || *elements * known->bytes != end - begin)
    return corrupt(
        fmt::format("shape {} of {} does not fill its {} bytes", shape_text(tensor.shape), tensor.type, end - begin),
        tensor_place(name));
  tensor.strides = *elements == 0 ? std::vector<std::uint64_t>(tensor.shape.size(), 0) : dense_strides(tensor.shape);
  tensor.bytes = data.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
  return tensor;
}

}  // namespace

bool looks_like_safetensors(std::span<const std::byte> file) {
  ByteCursor cursor(file);
  const auto length = cursor.little_endian<std::uint64_t>();
  return length && *length >= 2 && *length <= kMaxHeaderBytes && file.size() > 8 && file[8] == std::byte{'{'};
}

Result<std::vector<RawTensor>> parse_safetensors(std::span<const std::byte> file) {
  ByteCursor cursor(file);
  const auto length = cursor.little_endian<std::uint64_t>();
  if (!length) return corrupt("too short to be a safetensors file; download it again");
  if (*length > kMaxHeaderBytes) return corrupt(fmt::format("a header of {} bytes is not plausible", *length));
  const auto text = cursor.take_text(*length);
  if (!text)
    return corrupt(fmt::format("the header needs {} bytes, the file has {}; download it again", *length, file.size()));

  // nlohmann keeps the last of two equal keys; two tensors of one name are an attack or an accident, so look first.
  std::set<std::string> names;
  std::optional<std::string> twice;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::key && depth == 1 && !names.insert(parsed.get<std::string>()).second)
      twice = parsed.get<std::string>();
    return true;
  };
  const json header = json::parse(*text, watch, /*allow_exceptions=*/false);
  if (!header.is_object()) return corrupt("the header is not a JSON object; the file is damaged");
  if (twice) return corrupt("the name stands twice in the header", tensor_place(*twice));

  const auto data = file.subspan(cursor.position());
  std::vector<RawTensor> tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    MIDINF_TRY_ASSIGN(tensor, parse_entry(name, entry, data));
    tensors.push_back(std::move(tensor));
  }
  std::sort(tensors.begin(), tensors.end(), [](const RawTensor& a, const RawTensor& b) {
    return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
  });
  for (std::size_t i = 1; i < tensors.size(); ++i)
    if (tensors[i - 1].bytes.data() + tensors[i - 1].bytes.size() > tensors[i].bytes.data())
      return corrupt(fmt::format("its bytes overlap those of tensor '{}'", tensors[i - 1].name),
                     tensor_place(tensors[i].name));
  return tensors;
}

}  // namespace midinf

#include "model/pytorch_bin.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "model/pickle.h"
#include "model/stored_zip.h"

namespace midinf {
namespace {

struct StorageType {
  std::string_view name;
  std::uint64_t bytes;  // an element
  std::optional<DType> dtype;
};

constexpr std::array<StorageType, 10> kStorageTypes = {{{"FloatStorage", 4, DType::kF32},
                                                        {"HalfStorage", 2, DType::kF16},
                                                        {"BFloat16Storage", 2, DType::kBF16},
                                                        {"DoubleStorage", 8, {}},
                                                        {"LongStorage", 8, {}},
                                                        {"IntStorage", 4, {}},
                                                        {"ShortStorage", 2, {}},
                                                        {"CharStorage", 1, {}},
                                                        {"ByteStorage", 1, {}},
                                                        {"BoolStorage", 1, {}}}};

constexpr std::string_view kPickleName = "/data.pkl";

tl::unexpected<Error> corrupt(std::string message, std::string where = {}) {
  return fail(ErrorCode::kCorrupt, std::move(message), std::move(where));
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A pickle outside of an archive: what PyTorch wrote before 1.6.
bool is_bare_pickle(std::span<const std::byte> file) {
  return file.size() >= 2 && file[0] == std::byte{0x80} && file[1] >= std::byte{2} && file[1] <= std::byte{5};
}

// How many elements lie from the first that shape and strides address to the last, both included; nothing where that
// passes `limit`. Precondition: no dimension is 0.
std::optional<std::uint64_t> reach(const PickledTensor& tensor, std::uint64_t limit) {
  if (limit == 0) return std::nullopt;
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    const std::uint64_t steps = tensor.shape[i] - 1;
    if (tensor.strides[i] != 0 && steps > (limit - 1 - last) / tensor.strides[i]) return std::nullopt;
    last += steps * tensor.strides[i];
  }
  return last + 1;
}

Result<RawTensor> place(const PickledTensor& pickled, std::span<const std::byte> storage) {
  const auto type = std::find_if(kStorageTypes.begin(), kStorageTypes.end(),
                                 [&](const StorageType& t) { return t.name == pickled.storage_type; });
  MIDINF_ASSERT(type != kStorageTypes.end());  // the pickle reader knows no others
  const std::uint64_t elements = storage.size() / type->bytes;
  if (elements != pickled.storage_size || storage.size() % type->bytes != 0)
    return corrupt(fmt::format("its storage '{}' should hold {} elements of {} bytes, but has {} bytes",
                               pickled.storage_key, pickled.storage_size, type->bytes, storage.size()),
                   pickled.name);
  RawTensor tensor;
  tensor.name = pickled.name;
  tensor.type = pickled.storage_type;
  tensor.dtype = type->dtype;
  tensor.shape = pickled.shape;
  tensor.strides = pickled.strides;
  if (std::find(tensor.shape.begin(), tensor.shape.end(), 0U) != tensor.shape.end()) return tensor;
  const auto needed =
      pickled.offset < elements ? reach(pickled, elements - pickled.offset) : std::optional<std::uint64_t>();
  if (!needed)
    return corrupt(fmt::format("shape {} with strides {} from element {} passes the {} elements of its storage '{}'",
                               shape_text(pickled.shape), shape_text(pickled.strides), pickled.offset, elements,
                               pickled.storage_key),
                   pickled.name);
  tensor.bytes = storage.subspan(static_cast<std::size_t>(pickled.offset * type->bytes),
                                 static_cast<std::size_t>(*needed * type->bytes));
  return tensor;
}

}  // namespace

bool looks_like_pytorch_bin(std::span<const std::byte> file) {
  return looks_like_zip(file) || is_bare_pickle(file);
}

Result<std::vector<RawTensor>> parse_pytorch_bin(std::span<const std::byte> file) {
  if (is_bare_pickle(file))
    return fail(
        ErrorCode::kUnsupported,
        "a PyTorch checkpoint in the format from before PyTorch 1.6; load it in PyTorch and save it again, best as "
        "safetensors");
  MIDINF_TRY_ASSIGN(entries, parse_stored_zip(file));
  std::map<std::string_view, std::span<const std::byte>> files;
  std::optional<std::string_view> pickle_name;
  for (const ZipEntry& entry : entries) {
    files.emplace(entry.name, entry.bytes);
    if (!entry.name.ends_with(kPickleName)) continue;
    if (pickle_name) return corrupt("more than one data.pkl in the archive", std::string(entry.name));
    pickle_name = entry.name;
  }
  if (!pickle_name) return corrupt("no data.pkl in the archive; this is no PyTorch checkpoint");
  const std::string folder(pickle_name->substr(0, pickle_name->size() - kPickleName.size()));
  if (const auto order = files.find(folder + "/byteorder"); order != files.end() && as_text(order->second) != "little")
    return fail(ErrorCode::kUnsupported, "saved on a big-endian machine; save it again on a little-endian one");

  MIDINF_TRY_ASSIGN(pickled, parse_pickled_tensors(files.at(*pickle_name)));
  std::vector<RawTensor> tensors;
  for (const PickledTensor& tensor : pickled) {
    const auto storage = files.find(folder + "/data/" + tensor.storage_key);
    if (storage == files.end())
      return corrupt(fmt::format("its storage '{}' is missing from the archive", tensor.storage_key), tensor.name);
    MIDINF_TRY_ASSIGN(placed, place(tensor, storage->second));
    tensors.push_back(std::move(placed));
  }
  return tensors;
}

}  // namespace midinf

// For tests: small checkpoint files of every form, made in memory, and what hostile files are made of.
#pragma once

#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "model/checkpoint.h"

namespace midinf {

using Bytes = std::vector<std::byte>;

/// Collects what is written.
class MemoryWriter : public FileWriter {
 public:
  using FileWriter::write;
  Result<void> write(std::span<const std::byte> more) override {
    bytes.insert(bytes.end(), more.begin(), more.end());
    return {};
  }
  Bytes bytes;
};

/// Bytes put together piece by piece, little endian.
class ByteBuilder {
 public:
  template <class T>
    requires std::is_arithmetic_v<T>
  ByteBuilder& number(T value) {
    const auto* raw = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), raw, raw + sizeof value);
    return *this;
  }
  ByteBuilder& u8(int value) { return number(static_cast<std::uint8_t>(value)); }
  ByteBuilder& u16(std::uint64_t value) { return number(static_cast<std::uint16_t>(value)); }
  ByteBuilder& u32(std::uint64_t value) { return number(static_cast<std::uint32_t>(value)); }
  ByteBuilder& u64(std::uint64_t value) { return number(value); }
  ByteBuilder& text(std::string_view text) { return raw(std::as_bytes(std::span(text))); }
  ByteBuilder& raw(std::span<const std::byte> more) {
    bytes_.insert(bytes_.end(), more.begin(), more.end());
    return *this;
  }
  /// GGUF's strings: a 64-bit length, then the characters.
  ByteBuilder& long_text(std::string_view value) { return u64(value.size()).text(value); }
  ByteBuilder& align(std::size_t to) {
    bytes_.resize((bytes_.size() + to - 1) / to * to);
    return *this;
  }
  [[nodiscard]] const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

inline std::span<const std::byte> bytes_of(const std::vector<float>& values) {
  return std::as_bytes(std::span<const float>(values));
}

/// A float32 tensor in a framework's own naming and layout.
struct NamedTensor {
  std::string name;
  std::vector<std::uint64_t> shape;
  std::vector<float> values;
};

/// The tensors of `checkpoint` as Hugging Face stores them, names with `prefix` before them.
inline std::vector<NamedTensor> huggingface_tensors(const Checkpoint& checkpoint, const std::string& prefix = {}) {
  static const std::vector<std::pair<std::string, std::string>> kNames = {{"token_embd.weight", "wte.weight"},
                                                                          {"position_embd.weight", "wpe.weight"},
                                                                          {"attn_norm", "ln_1"},
                                                                          {"attn_qkv", "attn.c_attn"},
                                                                          {"attn_output", "attn.c_proj"},
                                                                          {"ffn_norm", "ln_2"},
                                                                          {"ffn_up", "mlp.c_fc"},
                                                                          {"ffn_down", "mlp.c_proj"},
                                                                          {"output_norm", "ln_f"},
                                                                          {"blk.", "h."}};
  std::vector<NamedTensor> tensors;
  for (const TensorInfo& info : checkpoint.tensors()) {
    NamedTensor tensor{info.name, {}, *checkpoint.read(info.name)};
    for (const auto& [ours, theirs] : kNames)
      if (const auto at = tensor.name.find(ours); at != std::string::npos) tensor.name.replace(at, ours.size(), theirs);
    const auto rows = static_cast<std::size_t>(info.rows);
    const auto columns = static_cast<std::size_t>(info.columns);
    if (info.name.ends_with(".bias") || info.name.ends_with("norm.weight")) {
      tensor.shape = {columns};
    } else if (info.name.find("embd") != std::string::npos) {
      tensor.shape = {rows, columns};
    } else {
      tensor.shape = {columns, rows};
      const std::vector<float> ours = tensor.values;
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < columns; ++c) tensor.values[c * rows + r] = ours[r * columns + c];
    }
    tensor.name = prefix + tensor.name;
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

/// A config.json for `config`; `more` is put before the closing brace (", \"key\": value").
inline std::string config_json(const Gpt2Config& config, const std::string& more = {}) {
  return "{\"model_type\": \"gpt2\", \"n_layer\": " + std::to_string(config.layers) +
         ", \"n_head\": " + std::to_string(config.heads) + ", \"n_embd\": " + std::to_string(config.width) +
         ", \"n_positions\": " + std::to_string(config.context) +
         ", \"vocab_size\": " + std::to_string(config.vocabulary) + more + "}";
}

/// A safetensors file of float32 tensors.
inline Bytes safetensors_file(const std::vector<NamedTensor>& tensors) {
  std::string header = "{\"__metadata__\":{\"format\":\"pt\"}";
  ByteBuilder data;
  for (const NamedTensor& tensor : tensors) {
    std::string shape;
    for (const std::uint64_t size : tensor.shape) shape.append(shape.empty() ? "" : ",").append(std::to_string(size));
    const std::size_t begin = data.bytes().size();
    data.raw(bytes_of(tensor.values));
    header += ",\"" + tensor.name + "\":{\"dtype\":\"F32\",\"shape\":[" + shape + "],\"data_offsets\":[" +
              std::to_string(begin) + "," + std::to_string(data.bytes().size()) + "]}";
  }
  header += "}";
  return ByteBuilder().long_text(header).raw(data.bytes()).bytes();
}

/// A file for stored_zip: its name and contents.
using ZipFile = std::pair<std::string, Bytes>;

/// An uncompressed zip archive; `wide` writes sizes, offsets and counts in their 64-bit form.
inline Bytes zip_file(const std::vector<ZipFile>& files, bool wide = false, int method = 0) {
  ByteBuilder out;
  ByteBuilder directory;
  for (const auto& [name, content] : files) {
    const std::size_t offset = out.bytes().size();
    out.u32(0x04034b50).u16(20).u16(0).u16(method).u32(0).u32(0).u32(content.size()).u32(content.size());
    out.u16(name.size()).u16(0).text(name).raw(content);
    directory.u32(0x02014b50).u16(20).u16(20).u16(0).u16(method).u32(0).u32(0);
    directory.u32(wide ? 0xFFFFFFFF : content.size()).u32(wide ? 0xFFFFFFFF : content.size());
    directory.u16(name.size())
        .u16(wide ? 28 : 0)
        .u16(0)
        .u16(0)
        .u16(0)
        .u32(0)
        .u32(wide ? 0xFFFFFFFF : offset)
        .text(name);
    if (wide) directory.u16(1).u16(24).u64(content.size()).u64(content.size()).u64(offset);
  }
  const std::size_t start = out.bytes().size();
  out.raw(directory.bytes());
  if (wide) {
    const std::size_t end64 = out.bytes().size();
    out.u32(0x06064b50).u64(44).u16(45).u16(45).u32(0).u32(0).u64(files.size()).u64(files.size());
    out.u64(directory.bytes().size()).u64(start);
    out.u32(0x07064b50).u32(0).u64(end64).u32(1);
  }
  out.u32(0x06054b50).u16(0).u16(0).u16(wide ? 0xFFFF : files.size()).u16(wide ? 0xFFFF : files.size());
  out.u32(wide ? 0xFFFFFFFF : directory.bytes().size()).u32(wide ? 0xFFFFFFFF : start).u16(0);
  return out.bytes();
}

/// Writes the opcodes of a pickle one by one.
class PickleBuilder {
 public:
  PickleBuilder() { out_.u8(0x80).u8(2); }
  PickleBuilder& op(int code) { return out_.u8(code), *this; }
  PickleBuilder& global(std::string_view module, std::string_view name) {
    return out_.text("c").text(module).text("\n").text(name).text("\n"), *this;
  }
  PickleBuilder& text(std::string_view text) { return out_.text("X").u32(text.size()).text(text), *this; }
  PickleBuilder& integer(std::int32_t value) { return out_.text("J").number(value), *this; }
  PickleBuilder& sizes(const std::vector<std::uint64_t>& values) {
    op('(');
    for (const std::uint64_t value : values) out_.u8(0x8a).u8(8).u64(value);
    return op('t');
  }
  /// torch._utils._rebuild_tensor_v2 of a FloatStorage.
  PickleBuilder& tensor(std::string_view key, std::int32_t elements, std::int32_t offset,
                        const std::vector<std::uint64_t>& shape, const std::vector<std::uint64_t>& strides) {
    global("torch._utils", "_rebuild_tensor_v2").op('(');
    op('(').text("storage").global("torch", "FloatStorage").text(key).text("cpu").integer(elements).op('t').op('Q');
    integer(offset).sizes(shape).sizes(strides).op(0x89).global("collections", "OrderedDict").op(')').op('R');
    return op('t').op('R');
  }
  /// Finishes with the opcode that ends a pickle.
  [[nodiscard]] Bytes stop() { return op('.').out_.bytes(); }

 private:
  ByteBuilder out_;
};

/// What torch.save writes for a state dict of float32 tensors.
inline Bytes pytorch_file(const std::vector<NamedTensor>& tensors, bool wide = false) {
  PickleBuilder pickle;
  pickle.global("collections", "OrderedDict").op(')').op('R').op('(');
  std::vector<ZipFile> storages;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const NamedTensor& tensor = tensors[i];
    std::vector<std::uint64_t> strides(tensor.shape.size(), 1);
    for (std::size_t d = strides.size(); d-- > 1;) strides[d - 1] = strides[d] * tensor.shape[d];
    pickle.text(tensor.name);
    pickle.tensor(std::to_string(i), static_cast<std::int32_t>(tensor.values.size()), 0, tensor.shape, strides);
    const auto content = bytes_of(tensor.values);
    storages.emplace_back("archive/data/" + std::to_string(i), Bytes(content.begin(), content.end()));
  }
  pickle.op('u');
  std::vector<ZipFile> files = {{"archive/data.pkl", pickle.stop()}};
  files.insert(files.end(), storages.begin(), storages.end());
  files.emplace_back("archive/version", Bytes{std::byte{'3'}, std::byte{'\n'}});
  return zip_file(files, wide);
}

/// Calls `use` with every proper prefix of `file`, each in memory of its own so that a sanitizer sees any overrun.
template <class Use>
void for_each_truncation(const Bytes& file, Use use) {
  for (std::size_t size = 0; size < file.size(); ++size)
    use(Bytes(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)));
}

/// Calls `use` with `count` copies of `file`, each with a few bytes or numbers changed, the same ones in every run.
/// Only the first `reach` bytes are changed: where the tables stand.
template <class Use>
void for_each_mutation(const Bytes& file, std::size_t reach, int count, Use use) {
  std::mt19937_64 random(20240229);
  constexpr std::uint64_t kNumbers[] = {0,          1,          31,         255,        65535, 0x7FFFFFFF,
                                        0xFFFFFFFF, 1ULL << 32, 1ULL << 60, ~0ULL >> 1, ~0ULL};
  for (int i = 0; i < count; ++i) {
    Bytes copy = file;
    for (auto changes = 1 + random() % 3; changes > 0; --changes) {
      const std::size_t at = random() % std::min(reach, copy.size());
      if (random() % 4 == 0) {
        const std::uint64_t number = kNumbers[random() % std::size(kNumbers)];
        std::memcpy(copy.data() + at, &number, std::min(sizeof number, copy.size() - at));
      } else {
        copy[at] = static_cast<std::byte>(random());
      }
    }
    use(copy);
  }
}

}  // namespace midinf

#include "model/pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <limits>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/bytes.h"

namespace midinf {
namespace {

// A state dict of 36 layers takes 50 KB. Values cost some 100 bytes of ours for a byte of theirs, so this bounds
// memory.
constexpr std::size_t kMaxPickleBytes = 1 << 20;
constexpr std::size_t kMaxDimensions = 8;
constexpr std::size_t kMaxStorageKeyBytes = 64;  // they are small numbers; long ones, often recalled, would multiply

enum Opcode : std::uint8_t {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kDuplicate = '2',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kPersistentId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kEmptyList = ']',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kEmptyDict = '}',
  kAppends = 'e',
  kGet = 'h',
  kLongGet = 'j',
  kPut = 'q',
  kLongPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyTuple = ')',
  kProtocol = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kTrue = 0x88,
  kFalse = 0x89,
  kLong1 = 0x8a,
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
};

// All functions and classes that a state dict names; everything else is refused.
enum class Known { kOrderedDict, kRebuildTensor, kRebuildParameter, kStorage };

struct KnownGlobal {
  std::string_view module;
  std::string_view name;
  Known what;
};

constexpr std::array<KnownGlobal, 13> kKnownGlobals = {{
    {"collections", "OrderedDict", Known::kOrderedDict},
    {"torch._utils", "_rebuild_tensor_v2", Known::kRebuildTensor},
    {"torch._utils", "_rebuild_parameter", Known::kRebuildParameter},
    {"torch", "FloatStorage", Known::kStorage},
    {"torch", "HalfStorage", Known::kStorage},
    {"torch", "BFloat16Storage", Known::kStorage},
    {"torch", "DoubleStorage", Known::kStorage},
    {"torch", "LongStorage", Known::kStorage},
    {"torch", "IntStorage", Known::kStorage},
    {"torch", "ShortStorage", Known::kStorage},
    {"torch", "CharStorage", Known::kStorage},
    {"torch", "ByteStorage", Known::kStorage},
    {"torch", "BoolStorage", Known::kStorage},
}};

// A value of the machine. Values refer to each other by index, so a pickle may nest or even contain itself as it likes.
using ValueId = std::size_t;

enum class Kind { kMark, kNone, kBool, kInteger, kFloat, kText, kTuple, kList, kDict, kGlobal, kStorage, kTensor };

struct Value {
  Kind kind = Kind::kNone;
  std::int64_t number = 0;     // kInteger, kBool; index of the global or of the payload
  std::string_view text;       // kText
  std::vector<ValueId> items;  // kTuple, kList; kDict: key, value, key, value, …
};

struct Storage {
  std::string_view type;
  std::string_view key;
  std::uint64_t size = 0;
};

tl::unexpected<Error> corrupt(std::string message) {
  return fail(ErrorCode::kCorrupt, std::move(message), "pickle");
}

tl::unexpected<Error> unsupported(std::string message) {
  return fail(ErrorCode::kUnsupported, std::move(message), "pickle");
}

class Machine {
 public:
  explicit Machine(std::span<const std::byte> pickle) : cursor_(pickle) {}

  Result<std::vector<PickledTensor>> run() {
    while (true) {
      const auto opcode = cursor_.u8();
      if (!opcode) return cut_short();
      if (*opcode == kStop) return result();
      MIDINF_TRY(step(*opcode));
    }
  }

 private:
  tl::unexpected<Error> cut_short() const { return corrupt("it ends too early; download the file again"); }

  // ---- the stack ----

  ValueId make(Value value) {
    values_.push_back(std::move(value));
    return values_.size() - 1;
  }
  void push(Value value) { stack_.push_back(make(std::move(value))); }
  void push_number(Kind kind, std::int64_t number) { push({kind, number, {}, {}}); }
  void push_text(std::string_view text) { push({Kind::kText, 0, text, {}}); }

  Result<ValueId> pop() {
    if (stack_.empty() || values_[stack_.back()].kind == Kind::kMark) return corrupt("it takes from an empty stack");
    const ValueId top = stack_.back();
    stack_.pop_back();
    return top;
  }

  Result<ValueId> top() {
    if (stack_.empty() || values_[stack_.back()].kind == Kind::kMark) return corrupt("it looks at an empty stack");
    return stack_.back();
  }

  // Everything above the last mark, which goes too.
  Result<std::vector<ValueId>> pop_to_mark() {
    const auto mark =
        std::find_if(stack_.rbegin(), stack_.rend(), [this](ValueId id) { return values_[id].kind == Kind::kMark; });
    if (mark == stack_.rend()) return corrupt("it looks for a mark that is not there");
    std::vector<ValueId> items(mark.base(), stack_.end());
    stack_.erase(mark.base() - 1, stack_.end());
    return items;
  }

  Result<void> push_tuple(std::size_t count) {
    Value tuple{Kind::kTuple, 0, {}, {}};
    for (std::size_t i = 0; i < count; ++i) {
      MIDINF_TRY_ASSIGN(item, pop());
      tuple.items.insert(tuple.items.begin(), item);
    }
    push(std::move(tuple));
    return {};
  }

  // ---- opcodes ----

  Result<void> step(std::uint8_t opcode) {
    switch (opcode) {
      case kProtocol:
        return protocol();
      case kFrame:
        return take<std::uint64_t>() ? Result<void>() : cut_short();
      case kMark:
        return push_number(Kind::kMark, 0), Result<void>();
      case kPop:
        return stack_.empty() ? Result<void>(corrupt("it takes from an empty stack"))
                              : (stack_.pop_back(), Result<void>());
      case kPopMark: {
        MIDINF_TRY(pop_to_mark());
        return {};
      }
      case kDuplicate: {
        MIDINF_TRY_ASSIGN(id, top());
        stack_.push_back(id);
        return {};
      }
      case kNone:
        return push_number(Kind::kNone, 0), Result<void>();
      case kTrue:
        return push_number(Kind::kBool, 1), Result<void>();
      case kFalse:
        return push_number(Kind::kBool, 0), Result<void>();
      case kBinInt:
        return integer<std::int32_t>();
      case kBinInt1:
        return integer<std::uint8_t>();
      case kBinInt2:
        return integer<std::uint16_t>();
      case kLong1:
        return long_integer();
      case kBinFloat:
        return take<double>() ? (push_number(Kind::kFloat, 0), Result<void>()) : cut_short();
      case kShortBinString:
      case kShortBinUnicode:
        return text<std::uint8_t>();
      case kBinString:
      case kBinUnicode:
        return text<std::uint32_t>();
      case kBinUnicode8:
        return text<std::uint64_t>();
      case kEmptyTuple:
        return push_tuple(0);
      case kTuple1:
        return push_tuple(1);
      case kTuple2:
        return push_tuple(2);
      case kTuple3:
        return push_tuple(3);
      case kTuple: {
        MIDINF_TRY_ASSIGN(items, pop_to_mark());
        push({Kind::kTuple, 0, {}, std::move(items)});
        return {};
      }
      case kEmptyList:
        return push({Kind::kList, 0, {}, {}}), Result<void>();
      case kEmptyDict:
        return push({Kind::kDict, 0, {}, {}}), Result<void>();
      case kAppend: {
        MIDINF_TRY_ASSIGN(item, pop());
        return extend(Kind::kList, {item});
      }
      case kAppends: {
        MIDINF_TRY_ASSIGN(items, pop_to_mark());
        return extend(Kind::kList, items);
      }
      case kSetItem: {
        MIDINF_TRY_ASSIGN(value, pop());
        MIDINF_TRY_ASSIGN(key, pop());
        return extend(Kind::kDict, {key, value});
      }
      case kSetItems: {
        MIDINF_TRY_ASSIGN(items, pop_to_mark());
        if (items.size() % 2 != 0) return corrupt("it sets a key without a value");
        return extend(Kind::kDict, items);
      }
      case kPut:
        return put(take<std::uint8_t>());
      case kLongPut:
        return put(take<std::uint32_t>());
      case kMemoize:
        return put(std::optional<std::uint64_t>(memo_.size()));
      case kGet:
        return get(take<std::uint8_t>());
      case kLongGet:
        return get(take<std::uint32_t>());
      case kGlobal:
        return global();
      case kStackGlobal:
        return stack_global();
      case kPersistentId:
        return persistent_id();
      case kReduce:
        return reduce();
      case kBuild:
        return build();
      default:
        return unsupported(fmt::format("opcode 0x{:02x}, which no state dict needs", opcode));
    }
  }

  template <class T>
  std::optional<T> take() {
    return cursor_.little_endian<T>();
  }

  Result<void> protocol() {
    const auto version = cursor_.u8();
    if (!version) return cut_short();
    if (*version < 2 || *version > 5) return unsupported(fmt::format("protocol {}; 2 to 5 are supported", *version));
    return {};
  }

  template <class T>
  Result<void> integer() {
    const auto number = take<T>();
    if (!number) return cut_short();
    push_number(Kind::kInteger, *number);
    return {};
  }

  // Two's complement, little endian, of any length; ours end at 64 bits.
  Result<void> long_integer() {
    const auto size = cursor_.u8();
    if (!size) return cut_short();
    if (*size > 8) return unsupported("an integer of more than 64 bits");
    const auto bytes = cursor_.take(*size);
    if (!bytes) return cut_short();
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < bytes->size(); ++i) number |= static_cast<std::uint64_t>((*bytes)[i]) << (8 * i);
    if (*size > 0 && *size < 8 && (static_cast<std::uint8_t>(bytes->back()) & 0x80U) != 0)
      number |= ~0ULL << (8 * *size);
    push_number(Kind::kInteger, static_cast<std::int64_t>(number));
    return {};
  }

  template <class Length>
  Result<void> text() {
    const auto length = take<Length>();
    const auto characters = length ? cursor_.take_text(*length) : std::nullopt;
    if (!characters) return cut_short();
    push_text(*characters);
    return {};
  }

  Result<void> extend(Kind kind, const std::vector<ValueId>& items) {
    MIDINF_TRY_ASSIGN(target, top());
    if (values_[target].kind != kind) return corrupt("it fills something that is no list or dict");
    values_[target].items.insert(values_[target].items.end(), items.begin(), items.end());
    return {};
  }

  template <class Index>
  Result<void> put(std::optional<Index> index) {
    if (!index) return cut_short();
    MIDINF_TRY_ASSIGN(id, top());
    memo_[*index] = id;
    return {};
  }

  template <class Index>
  Result<void> get(std::optional<Index> index) {
    if (!index) return cut_short();
    const auto found = memo_.find(*index);
    if (found == memo_.end()) return corrupt("it recalls what it never stored");
    stack_.push_back(found->second);
    return {};
  }

  // ---- what a pickle may name ----

  Result<void> push_global(std::string_view module, std::string_view name) {
    const auto known = std::find_if(kKnownGlobals.begin(), kKnownGlobals.end(),
                                    [&](const KnownGlobal& g) { return g.module == module && g.name == name; });
    if (known == kKnownGlobals.end())
      return unsupported(
          fmt::format("it names {}.{}, which a state dict of tensors does not need; nothing was run. If you "
                      "trust the file, load it in PyTorch and save its weights as safetensors",
                      module, name));
    push_number(Kind::kGlobal, known - kKnownGlobals.begin());
    return {};
  }

  Result<std::string_view> line() {
    const std::size_t start = cursor_.position();
    std::size_t length = 0;
    while (true) {
      const auto byte = cursor_.u8();
      if (!byte) return cut_short();
      if (*byte == '\n') break;
      ++length;
    }
    static_cast<void>(cursor_.seek(start));
    const auto text = cursor_.take_text(length);
    static_cast<void>(cursor_.u8());
    return *text;
  }

  Result<void> global() {
    MIDINF_TRY_ASSIGN(module, line());
    MIDINF_TRY_ASSIGN(name, line());
    return push_global(module, name);
  }

  Result<void> stack_global() {
    MIDINF_TRY_ASSIGN(name, pop());
    MIDINF_TRY_ASSIGN(module, pop());
    if (values_[name].kind != Kind::kText || values_[module].kind != Kind::kText)
      return corrupt("it names a class by something that is no text");
    return push_global(values_[module].text, values_[name].text);
  }

  [[nodiscard]] const KnownGlobal* as_global(ValueId id) const {
    const Value& value = values_[id];
    return value.kind == Kind::kGlobal ? &kKnownGlobals[static_cast<std::size_t>(value.number)] : nullptr;
  }

  // ('storage', class, key, where it was, elements)
  Result<void> persistent_id() {
    MIDINF_TRY_ASSIGN(id, pop());
    const Value& tuple = values_[id];
    if (tuple.kind != Kind::kTuple || tuple.items.size() != 5) return corrupt("a storage needs five fields");
    const Value& tag = values_[tuple.items[0]];
    const KnownGlobal* type = as_global(tuple.items[1]);
    const Value& key = values_[tuple.items[2]];
    const Value& size = values_[tuple.items[4]];
    if (tag.kind != Kind::kText || tag.text != "storage" || !type || type->what != Known::kStorage ||
        key.kind != Kind::kText || key.text.size() > kMaxStorageKeyBytes || size.kind != Kind::kInteger ||
        size.number < 0)
      return corrupt("a storage's fields are not what torch.save writes");
    storages_.push_back({type->name, key.text, static_cast<std::uint64_t>(size.number)});
    push_number(Kind::kStorage, static_cast<std::int64_t>(storages_.size() - 1));
    return {};
  }

  Result<void> reduce() {
    MIDINF_TRY_ASSIGN(arguments_id, pop());
    MIDINF_TRY_ASSIGN(function_id, pop());
    const KnownGlobal* function = as_global(function_id);
    const Value& arguments = values_[arguments_id];
    if (!function || arguments.kind != Kind::kTuple) return corrupt("it calls something that is no function");
    switch (function->what) {
      case Known::kOrderedDict:
        if (!arguments.items.empty())
          return unsupported("an OrderedDict made from something; torch.save writes empty ones");
        push({Kind::kDict, 0, {}, {}});
        return {};
      case Known::kRebuildTensor:
        return rebuild_tensor(arguments);
      case Known::kRebuildParameter:  // (tensor, requires_grad, hooks): the tensor itself, to us
        if (arguments.items.empty() || values_[arguments.items[0]].kind != Kind::kTensor)
          return corrupt("a parameter without a tensor");
        stack_.push_back(arguments.items[0]);
        return {};
      case Known::kStorage:
        break;
    }
    return corrupt(fmt::format("it calls {}.{}, which is no function", function->module, function->name));
  }

  // (storage, offset, shape, strides, requires_grad, hooks[, metadata])
  Result<void> rebuild_tensor(const Value& arguments) {
    if (arguments.items.size() < 6 || arguments.items.size() > 7) return corrupt("a tensor needs six fields");
    const Value& storage_value = values_[arguments.items[0]];
    const Value& offset = values_[arguments.items[1]];
    const auto shape = sizes(arguments.items[2]);
    const auto strides = sizes(arguments.items[3]);
    if (storage_value.kind != Kind::kStorage || offset.kind != Kind::kInteger || offset.number < 0 || !shape ||
        !strides || shape->size() != strides->size())
      return corrupt("a tensor's fields are not what torch.save writes");
    const Storage& storage = storages_[static_cast<std::size_t>(storage_value.number)];
    PickledTensor tensor;
    tensor.storage_type = std::string(storage.type);
    tensor.storage_key = std::string(storage.key);
    tensor.storage_size = storage.size;
    tensor.offset = static_cast<std::uint64_t>(offset.number);
    tensor.shape = *shape;
    tensor.strides = *strides;
    tensors_.push_back(std::move(tensor));
    push_number(Kind::kTensor, static_cast<std::int64_t>(tensors_.size() - 1));
    return {};
  }

  [[nodiscard]] std::optional<std::vector<std::uint64_t>> sizes(ValueId id) const {
    const Value& tuple = values_[id];
    if (tuple.kind != Kind::kTuple || tuple.items.size() > kMaxDimensions) return std::nullopt;
    std::vector<std::uint64_t> numbers;
    for (const ValueId item : tuple.items) {
      if (values_[item].kind != Kind::kInteger || values_[item].number < 0) return std::nullopt;
      numbers.push_back(static_cast<std::uint64_t>(values_[item].number));
    }
    return numbers;
  }

  // An OrderedDict may carry attributes: a state dict has _metadata, versions of its modules. They change no weight.
  Result<void> build() {
    MIDINF_TRY(pop());
    MIDINF_TRY_ASSIGN(target, top());
    if (values_[target].kind != Kind::kDict) return unsupported("it sets attributes of something that is no dict");
    return {};
  }

  // ---- the end ----

  Result<std::vector<PickledTensor>> result() {
    MIDINF_TRY_ASSIGN(id, pop());
    if (!stack_.empty()) return corrupt("it leaves values behind");
    const Value& dict = values_[id];
    if (dict.kind != Kind::kDict) return unsupported("it holds no state dict: no dict of tensors");
    std::vector<PickledTensor> named;
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < dict.items.size(); i += 2) {
      const Value& key = values_[dict.items[i]];
      const Value& value = values_[dict.items[i + 1]];
      if (key.kind != Kind::kText) return unsupported("a key that is no text");
      if (value.kind != Kind::kTensor)
        return unsupported(fmt::format("'{}' is no tensor; save model.state_dict() alone", key.text));
      if (!names.insert(key.text).second) return corrupt(fmt::format("the tensor '{}' stands twice", key.text));
      named.push_back(tensors_[static_cast<std::size_t>(value.number)]);
      named.back().name = std::string(key.text);
    }
    return named;
  }

  ByteCursor cursor_;
  std::deque<Value> values_;  // a deque: references stay valid while more are made
  std::vector<ValueId> stack_;
  std::unordered_map<std::uint64_t, ValueId> memo_;
  std::vector<Storage> storages_;
  std::vector<PickledTensor> tensors_;
};

}  // namespace

Result<std::vector<PickledTensor>> parse_pickled_tensors(std::span<const std::byte> pickle) {
  if (pickle.size() > kMaxPickleBytes)
    return unsupported(
        fmt::format("{} bytes; a state dict of tensors needs less than {}", pickle.size(), kMaxPickleBytes));
  return Machine(pickle).run();
}

}  // namespace midinf

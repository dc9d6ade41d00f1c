// Any checkpoint as a GGUF file that midinfinite and llama.cpp open.
// Must not know: where a checkpoint came from, command lines, hashes. Read next: gguf.h (the container), quantize.h.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "base/file.h"
#include "base/result.h"
#include "base/token.h"
#include "model/checkpoint.h"
#include "model/gguf.h"

namespace midinf {

struct ConvertOptions {
  DType type = DType::kQ8_0;  ///< of the matrices: f32, f16, q8_0 or q4_0
  /// Further keys, written in this order after ours: general.name, general.license, midinfinite.source.sha256, …
  /// Not: keys that convert() writes itself (see is_own_key), arrays.
  GgufMetadata metadata;
  /// Called before each tensor with the part of all bytes written so far, 0..1; false stops with kCancelled. May be
  /// empty.
  std::function<bool(double)> progress;
  /// For q4_0: rows of ids that the network was trained on, or like them, each at most config().context. With them
  /// numbers are rounded so that the network goes on computing what it did (calibrate.h, quantize_calibrated.h);
  /// without them each to its nearest, at a few percent of likelihood.
  std::vector<std::vector<TokenId>> calibration = {};
  int threads = 1;  ///< that calibrate; they change nothing but the time
};

/// A tensor that is not stored in the type asked for, and why.
struct KeptTensor {
  std::string name;
  DType stored;
  std::string_view reason;
};

/// What conversion does with each tensor, in the order of the file: matrices take options.type, except that a row that
/// is no multiple of 32 stays f16 under q8_0 and q4_0, that q4_0 leaves the token embedding and attention's output at
/// q8_0 (decision 014), and that position embeddings stay f32 (they are read by the row and cost next to nothing);
/// norms and biases stay f32. [any thread]
DType stored_type(const TensorInfo& tensor, DType asked);

/// The tensors of `tensors` that stored_type keeps back under `asked`. [any thread]
std::vector<KeptTensor> kept_tensors(const std::vector<TensorInfo>& tensors, DType asked);

/// Whether convert() decides the value of this key: what describes the network and the file's own form.
bool is_own_key(std::string_view key);

/// The hash of the rows by which a file's four bits were calibrated.
inline constexpr const char* kCalibrationKey = "midinfinite.calibration.sha256";

/// What a GGUF file says of itself beyond its network, for ConvertOptions::metadata of a file of type `type` made from
/// it. That it was calibrated only where its four bits stay as they are.
GgufMetadata carried_metadata(const GgufMetadata& source, DType type);

/// Writes `checkpoint` to `destination` as GGUF, whole or not at all: the same input gives the same bytes, calibrated
/// with one instruction set. A tensor already stored in its type is copied as it is, unless it is calibrated anew.
/// Memory: one tensor as float32 and as stored; what measure_inputs says besides, when calibrating. Errors:
/// kInvalidArgument for another type, a key that is_own_key, an array, or a weight that the type cannot hold (with
/// tensor and place); those of reading and of write_file_whole. [main]
Result<void> convert(const Checkpoint& checkpoint, const std::string& destination, const ConvertOptions& options);

/// The same into any writer. [main]
Result<void> convert(const Checkpoint& checkpoint, FileWriter& out, const ConvertOptions& options);

}  // namespace midinf

// For tests only: spells Standard MIDI Files byte by byte, apart from the code under test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace midinf::testing {

using Bytes = std::vector<std::byte>;

/// "00 90 3c 40" -> 4 bytes; anything that is not a hexadecimal digit only separates.
inline Bytes hex(std::string_view text) {
  Bytes bytes;
  int high = -1;
  for (const char c : text) {
    int digit = -1;
    if (c >= '0' && c <= '9') digit = c - '0';
    if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
    if (digit < 0) continue;
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<std::byte>(high * 16 + digit));
      high = -1;
    }
  }
  return bytes;
}

inline void append(Bytes& to, const Bytes& bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

inline Bytes big_endian(std::uint32_t value, int size) {
  Bytes bytes;
  for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) bytes.push_back(static_cast<std::byte>(value >> shift));
  return bytes;
}

/// A whole file: header, then one MTrk chunk for each of `tracks` (hexadecimal events; the end of track is added).
inline Bytes smf(std::initializer_list<std::string_view> tracks, std::uint16_t division = 50,
                 std::uint16_t format = 1) {
  Bytes file = hex("4d546864 00000006");
  append(file, big_endian(format, 2));
  append(file, big_endian(static_cast<std::uint32_t>(tracks.size()), 2));
  append(file, big_endian(division, 2));
  for (const std::string_view track : tracks) {
    Bytes events = hex(track);
    append(events, hex("00 ff 2f 00"));
    append(file, hex("4d54726b"));
    append(file, big_endian(static_cast<std::uint32_t>(events.size()), 4));
    append(file, events);
  }
  return file;
}

}  // namespace midinf::testing

// For tests: is a picture well-formed XML?
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace midinf::cli {

/// What is wrong with `xml` as an XML document without declarations, comments or CDATA; empty: nothing.
inline std::string xml_fault(std::string_view xml) {
  std::vector<std::string_view> open;
  bool root_closed = false;
  std::size_t at = 0;
  const auto bad_text = [](std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto c = static_cast<unsigned char>(text[i]);
      if (c < 0x20 && c != '\n' && c != '\t') return true;
      if (c == '<' || c == '>') return true;
      if (c == '&') {
        const std::string_view entity = text.substr(i, text.find(';', i) - i + 1);
        if (entity != "&amp;" && entity != "&lt;" && entity != "&gt;" && entity != "&quot;") return true;
      }
    }
    return false;
  };
  while (at < xml.size()) {
    if (xml[at] != '<') {
      const std::size_t end = std::min(xml.find('<', at), xml.size());
      const std::string_view text = xml.substr(at, end - at);
      if (bad_text(text)) return fmt::format("text: {}", text);
      if (open.empty() && text.find_first_not_of('\n') != text.npos) return "text outside the root";
      at = end;
      continue;
    }
    // Tag, attributes, end.
    std::size_t i = at + 1;
    const bool closing = i < xml.size() && xml[i] == '/';
    if (closing) ++i;
    const std::size_t name_end = xml.find_first_of(" />", i);
    if (name_end == xml.npos) return "no end of a tag";
    const std::string_view name = xml.substr(i, name_end - i);
    i = name_end;
    std::set<std::string_view> attributes;
    while (i < xml.size() && xml[i] == ' ') {
      const std::size_t equals = xml.find('=', i);
      if (equals == xml.npos || xml.substr(equals, 2) != "=\"") return fmt::format("attribute of {}", name);
      const std::size_t quote = xml.find('"', equals + 2);
      if (quote == xml.npos) return fmt::format("no end of an attribute of {}", name);
      if (!attributes.insert(xml.substr(i + 1, equals - i - 1)).second) return "twice the same attribute";
      if (bad_text(xml.substr(equals + 2, quote - equals - 2))) return fmt::format("attribute text of {}", name);
      i = quote + 1;
    }
    const bool empty = i < xml.size() && xml[i] == '/';
    if (empty) ++i;
    if (i >= xml.size() || xml[i] != '>') return fmt::format("end of tag {}", name);
    at = i + 1;
    if (root_closed) return "something after the root";
    if (closing) {
      if (open.empty() || open.back() != name) return fmt::format("closing {}", name);
      open.pop_back();
    } else if (!empty) {
      open.push_back(name);
    }
    root_closed = open.empty();
  }
  return root_closed ? "" : "unclosed";
}

}  // namespace midinf::cli

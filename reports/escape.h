// Any bytes as text of an HTML or XML document: nothing that a trace says can become markup.
#ifndef TWINWALK_REPORTS_ESCAPE_H_
#define TWINWALK_REPORTS_ESCAPE_H_

#include <string>
#include <string_view>

namespace twinwalk::reports {

inline std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else if (c == '\n' || (c >= 0x20 && c < 0x7f))
      out += c;
    else
      out += '?';  // traces are ASCII; control characters are not allowed in XML at all
  }
  return out;
}

}  // namespace twinwalk::reports

#endif  // TWINWALK_REPORTS_ESCAPE_H_

// Writes HTML piece by piece; every text goes through Escaped, so only tags written here are tags.
#ifndef TWINWALK_REPORTS_HTML_H_
#define TWINWALK_REPORTS_HTML_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "reports/escape.h"

namespace twinwalk::reports {

// "1,234,567"
std::string Grouped(uint64_t number);

class Html {
 public:
  struct Cell {
    std::string text;
    std::string cls;    // CSS class, or ""
    std::string title;  // tooltip, or ""
  };

  void Open(std::string_view tag, std::string_view cls = "", std::string_view id = "") {
    text_ += "<" + std::string(tag);
    if (!cls.empty()) text_ += " class=\"" + Escaped(cls) + "\"";
    if (!id.empty()) text_ += " id=\"" + Escaped(id) + "\"";
    text_ += ">";
  }
  void Close(std::string_view tag) { text_ += "</" + std::string(tag) + ">\n"; }
  void Text(std::string_view text) { text_ += Escaped(text); }
  // Text in which `x` between back quotes becomes <code>x</code>.
  void Prose(std::string_view text);
  void Element(std::string_view tag, std::string_view text, std::string_view cls = "") {
    Open(tag, cls);
    Prose(text);
    Close(tag);
  }
  void Link(std::string_view id, std::string_view text) {
    text_ += "<a href=\"#" + Escaped(id) + "\">" + Escaped(text) + "</a>\n";
  }
  // A table with a caption for those who cannot see its place; closed by EndTable.
  void BeginTable(std::initializer_list<Cell> head, std::string_view cls = "");
  void Row(std::initializer_list<Cell> cells) { Cells("td", cells.begin(), cells.size()); }
  void Cells(std::string_view tag, const Cell* cells, size_t count);
  void EndTable();
  // <section id><h2>title</h2> ... closed by EndSection.
  void BeginSection(std::string_view id, std::string_view title, std::string_view lead);
  void EndSection() { Close("section"); }
  // A line that opens to show more; closed by EndDetails.
  void BeginDetails(std::string_view summary, bool open = false);
  void EndDetails();

  void Raw(std::string_view markup) { text_ += markup; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace twinwalk::reports

#endif  // TWINWALK_REPORTS_HTML_H_

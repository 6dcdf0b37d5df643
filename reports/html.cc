#include "reports/html.h"

#include <algorithm>

namespace twinwalk::reports {

std::string Grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

void Html::Prose(std::string_view text) {
  bool code = false;
  while (!text.empty()) {
    const size_t end = std::min(text.find('`'), text.size());
    Text(text.substr(0, end));
    if (end == text.size()) break;
    text_ += code ? "</code>" : "<code>";
    code = !code;
    text.remove_prefix(end + 1);
  }
  if (code) text_ += "</code>";
}

void Html::BeginTable(std::initializer_list<Cell> head, std::string_view cls) {
  Raw("<div class=\"scroll\">");
  Open("table", cls);
  Raw("<thead>");
  Cells("th", head.begin(), head.size());
  Raw("</thead><tbody>\n");
}

void Html::Cells(std::string_view tag, const Cell* cells, size_t count) {
  Raw("<tr>");
  for (size_t i = 0; i < count; ++i) {
    Raw("<" + std::string(tag));
    if (!cells[i].cls.empty()) Raw(" class=\"" + Escaped(cells[i].cls) + "\"");
    if (!cells[i].title.empty()) Raw(" title=\"" + Escaped(cells[i].title) + "\"");
    Raw(tag == "th" ? " scope=\"col\">" : ">");
    Prose(cells[i].text);
    Raw("</" + std::string(tag) + ">");
  }
  Raw("</tr>\n");
}

void Html::EndTable() {
  Raw("</tbody></table></div>\n");
}

void Html::BeginSection(std::string_view id, std::string_view title, std::string_view lead) {
  Open("section", "", id);
  Element("h2", title);
  if (!lead.empty()) Element("p", lead, "lead");
}

void Html::BeginDetails(std::string_view summary, bool open) {
  Raw(open ? "<details open><summary>" : "<details><summary>");
  Prose(summary);
  Raw("</summary>\n");
}

void Html::EndDetails() {
  Close("details");
}

}  // namespace twinwalk::reports

#include "traces/import.h"

#include <algorithm>
#include <optional>
#include <set>

#include "traces/capture_lines.h"
#include "traces/import_builder.h"
#include "traces/import_vrec.h"

namespace twinwalk {
namespace {

void Complain(const std::string& path, uint64_t line, const std::string& what,
              ImportedCapture* out) {
  ++out->stats.errors;
  if (out->errors.size() < ImportedCapture::kMaxErrors)
    out->errors.push_back(path + ":" + std::to_string(line) + ": " + what);
}

// First reading, for the one client whose prints say what its memory holds.
std::set<uint64_t> PrintedPages(const std::string& path) {
  CaptureLines lines(path);
  VsmmucliPages pages;
  std::string line;
  while (!lines.done()) {
    const CaptureLines::Got got = lines.Next(&line);
    if (got == CaptureLines::Got::kEnd) break;
    CaptureRecord record;
    if (got == CaptureLines::Got::kDamaged || !record.Parse(line).empty()) continue;
    if (record.TextOr("kind", "") == "stdio") pages.Line(record.TextOr("text", ""));
  }
  return pages.pages();
}

// "FOLDER/FILE: title (remark)"
std::string NameOf(const ImportOptions& options, const std::string& title) {
  std::string name = options.provenance.empty() ? title : options.provenance + ": " + title;
  if (options.world && !options.world->name.empty()) name += " (" + options.world->name + ")";
  return name.substr(0, kMaxNameBytes);
}

}  // namespace

ImportedCapture ImportCapture(const std::string& path, const ImportOptions& options) {
  ImportedCapture out;
  if (options.world) out.trace.world = *options.world;
  ImportBuilder builder(&out, options.limits);
  CaptureLines lines(path);
  std::optional<VrecImporter> importer;
  uint64_t expected = 0;  // ordinal of the next record: they count without gaps
  bool footer = false;
  std::string line;
  while (!lines.done() && !builder.full()) {
    const CaptureLines::Got got = lines.Next(&line);
    if (got == CaptureLines::Got::kEnd) break;
    if (got == CaptureLines::Got::kDamaged) {
      Complain(path, lines.number(), line, &out);
      if (!importer) break;
      continue;
    }
    CaptureRecord record;
    const std::string wrong = record.Parse(line);
    if (!importer) {
      const std::string header = wrong.empty() ? VrecImporter::CheckHeader(record) : wrong;
      if (!header.empty()) {
        Complain(path, lines.number(), header, &out);
        break;
      }
      out.trace.world.name = NameOf(options, record.TextOr("title", ""));
      if (!options.world) builder.facts().Machine(record.TextOr("machine", ""));
      std::optional<std::set<uint64_t>> pages;
      if (VrecImporter::IsVsmmucli(record)) pages = PrintedPages(path);
      importer.emplace(&builder, record, std::move(pages));
      ++out.stats.records;
      expected = 1;
      continue;
    }
    if (!wrong.empty()) {
      Complain(path, lines.number(), wrong, &out);
      continue;
    }
    ++out.stats.records;
    const uint64_t ordinal = record.NumberOr("n", expected);
    if (ordinal != expected) {
      Complain(
          path, lines.number(),
          "record " + std::to_string(ordinal) + " follows record " + std::to_string(expected - 1),
          &out);
    }
    expected = ordinal + 1;
    footer = record.TextOr("sys", "") == "footer";
    const std::string what = importer->Record(record);
    if (!what.empty()) Complain(path, lines.number(), what, &out);
  }
  if (builder.full())
    Complain(path, lines.number(), "more Ops or bytes than a trace may have", &out);
  else if (importer && !footer && out.errors.empty())
    Complain(path, lines.number(), "the capture ends without a footer", &out);
  else if (!importer && out.errors.empty())
    Complain(path, 1, "an empty file", &out);
  if (out.trace.world.processes.empty()) out.trace.world.processes.emplace_back();
  return out;
}

std::string ImportStatsText(const ImportStats& s) {
  std::string text;
  auto number = [&](uint64_t n, const char* what) { text += std::to_string(n) + " " + what; };
  auto list = [&](const char* title, const std::map<std::string, uint64_t>& counts) {
    text += title;
    for (const auto& [name, count] : counts) text += " " + name + "=" + std::to_string(count);
    text += "\n";
  };
  number(s.records, "records, ");
  number(s.ops, "ops: ");
  number(s.ioctls, "ioctls, ");
  number(s.guest_writes, "guest writes, ");
  number(s.memory_writes, "memory writes, ");
  number(s.dmas, "dmas, ");
  number(s.derived, "derived; ");
  number(s.environment, "environment facts, ");
  number(s.errors, "errors\n");
  list("typed:", s.typed);
  list("raw:", s.raw);
  list("skipped:", s.skipped);
  return text;
}

}  // namespace twinwalk

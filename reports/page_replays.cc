// The page's sections on replays: findings, recordings, goldens.
#include <algorithm>

#include "reports/page.h"

namespace twinwalk::reports {

namespace {

constexpr size_t kShownSets = 12;

// "traces/testdata/vsmmu-stale.jsonl.gz" -> "vsmmu-stale"
std::string NameOf(const std::string& file) {
  return KnownDifferences::CaptureName(file);
}

void Term(Html* page, const char* name, const std::string& text, const char* cls = "") {
  if (text.empty()) return;
  page->Element("dt", name);
  page->Open("dd", cls);
  page->Open("code");
  page->Text(text);
  page->Close("code");
  page->Close("dd");
}

// The rows beside the one that was told already.
void Rows(const std::vector<std::string>& rows, const std::string& told, Html* page) {
  constexpr size_t kShown = 5;
  size_t others = 0;
  for (const std::string& row : rows)
    if (row != told && ++others <= kShown) Term(page, "row", row);
  if (others > kShown) Term(page, "row", "and " + std::to_string(others - kShown) + " more");
}

void FindingCard(const FindingReport& f, Html* page) {
  page->Open("article", "finding");
  std::string title = f.kind;
  if (!f.invariant.empty()) title += " of " + f.invariant;
  page->Element("h3", title + " at Op " + std::to_string(f.ordinal) + " of `" + f.trace + "`");
  if (!f.words.empty()) page->Element("p", "The invariant: " + f.words + ".");
  page->Open("dl");
  std::string steps;
  for (const std::string& op : f.before) steps += op + "\n";
  if (!steps.empty()) {
    page->Element("dt", "before");
    page->Open("dd");
    page->Element("pre", steps, "quiet");
    page->Close("dd");
  }
  Term(page, "the Op", f.op);
  Term(page, "should be", f.should_be, "should");
  Term(page, "is", f.is, "is");
  Rows(f.rows, f.is, page);
  for (const Clause& clause : f.also) {
    Term(page, "also", clause.kind + (clause.invariant.empty() ? "" : " of " + clause.invariant));
    Term(page, "should be", clause.should_be, "should");
    Term(page, "is", clause.is, "is");
    Rows(clause.rows, clause.is, page);
  }
  Term(page, "written in", f.sheet);
  Term(page, "to replay", f.replay);
  page->Close("dl");
  page->Close("article");
}

std::string RecordedWords(const ReplayReport& r) {
  const uint64_t judged = r.recorded_agree + r.recorded_differ;
  if (judged == 0) return "nothing recorded";
  return Grouped(r.recorded_agree) + " of " + Grouped(judged) + " agree";
}

std::string DifferWords(const ReplayReport& r) {
  if (r.recorded_differ == 0) return "none";
  std::string text = Grouped(r.recorded_differ) + " listed";
  if (r.unexplained() != 0) text = Grouped(r.unexplained()) + " without a reason";
  return text;
}

std::string ModelWords(const ReplayReport& r) {
  if (r.divergences + r.violations == 0) return "agrees on all " + Grouped(r.ops);
  return r.findings.front().kind + " at Op " + std::to_string(r.findings.front().ordinal);
}

// Members of permitted sets: how many sets, and in how many the recorded answer is inside.
std::string SetsWords(const ReplayReport& r) {
  if (r.permitted_sets.empty()) return "none";
  size_t inside = 0, stale = 0;
  for (const PermittedReport& set : r.permitted_sets) {
    inside += set.recorded_member >= 0;
    stale += set.recorded_member > 0;
  }
  std::string text = Grouped(r.permitted_sets.size());
  if (inside != 0) text += ", recorded answer inside " + Grouped(inside);
  if (stale != 0) text += " (" + Grouped(stale) + " stale)";
  return text;
}

// Differences of one recording with one reason.
struct DifferenceGroup {
  const DifferenceReport* first = nullptr;
  std::vector<size_t> ordinals;  // ascending, each once
  std::vector<std::string> fields;
};

// "125, 129, 135 to 141"
std::string OrdinalsText(const std::vector<size_t>& ordinals) {
  std::string text;
  for (size_t i = 0; i < ordinals.size();) {
    size_t j = i;
    while (j + 1 < ordinals.size() && ordinals[j + 1] == ordinals[j] + 1) ++j;
    text += (text.empty() ? "" : ", ") + std::to_string(ordinals[i]);
    if (j > i) text += (j == i + 1 ? ", " : " to ") + std::to_string(ordinals[j]);
    i = j + 1;
  }
  return text;
}

// Unexplained differences stand alone, in front.
std::vector<DifferenceGroup> GroupDifferences(const ReplayReport& r) {
  std::vector<DifferenceGroup> alone, groups;
  for (const DifferenceReport& d : r.differences) {
    auto at = groups.end();
    if (!d.reason.empty()) {
      at = std::find_if(groups.begin(), groups.end(),
                        [&](const DifferenceGroup& g) { return g.first->reason == d.reason; });
      if (at == groups.end()) at = groups.insert(at, {&d, {}, {}});
    }
    DifferenceGroup& group = d.reason.empty() ? alone.emplace_back() : *at;
    if (group.first == nullptr) group.first = &d;
    if (group.ordinals.empty() || group.ordinals.back() != d.ordinal)
      group.ordinals.push_back(d.ordinal);
    const std::string field = d.field.substr(0, d.field.find('['));
    if (std::find(group.fields.begin(), group.fields.end(), field) == group.fields.end())
      group.fields.push_back(field);
  }
  alone.insert(alone.end(), groups.begin(), groups.end());
  return alone;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// The first so many characters: what a person reads of a long value.
std::string Short(const std::string& text) {
  constexpr size_t kShown = 160;
  return text.size() <= kShown ? text : text.substr(0, kShown) + "...";
}

void Differences(const Verification& v, Html* page) {
  size_t count = 0;
  for (const ReplayReport& r : v.captures) count += r.differences.size();
  page->Element("h3", "Where a recording differs, and why");
  if (count == 0) {
    page->Element("p", "Nowhere.");
    return;
  }
  page->Element("p",
                "Each reason stands in the checked-in list; what nobody has explained yet says "
                "so. Quirks of the recorded emulator are listed, not adopted.",
                "lead");
  page->BeginTable({{"recording", "", ""},
                    {"Ops", "", ""},
                    {"fields", "", ""},
                    {"recorded (of the first)", "", ""},
                    {"reference", "", ""},
                    {"reason", "", ""}});
  for (const ReplayReport& r : v.captures) {
    for (const DifferenceGroup& g : GroupDifferences(r)) {
      const DifferenceReport& d = *g.first;
      page->Row(
          {{NameOf(r.trace), "name", ""},
           {OrdinalsText(g.ordinals), "", d.op},
           {Joined(g.fields), "", ""},
           {"`" + Short(d.recorded) + "`", "", ""},
           {"`" + Short(d.reference) + "`", "", ""},
           {d.reason.empty() ? "not explained" : d.reason, d.reason.empty() ? "bad" : "", ""}});
    }
  }
  page->EndTable();
}

void PermittedSets(const Verification& v, Html* page) {
  bool any = false;
  for (const ReplayReport& r : v.captures) any = any || !r.permitted_sets.empty();
  if (!any) return;
  page->BeginDetails("Accesses that hardware may answer in more than one way");
  page->Element("p",
                "After a change and before a completed invalidation, hardware may use what it "
                "still holds. Member 0 is the answer of present memory.",
                "lead");
  page->BeginTable({{"recording", "", ""},
                    {"the access", "", ""},
                    {"permitted answers", "num", ""},
                    {"the recorded one", "", ""}});
  for (const ReplayReport& r : v.captures) {
    size_t shown = 0;
    for (const PermittedReport& set : r.permitted_sets) {
      if (++shown > kShownSets) break;
      const std::string member =
          set.recorded_member < 0 ? "not known"
          : set.recorded_member == 0
              ? "present memory's"
              : "a stale one (member " + std::to_string(set.recorded_member) + ")";
      page->Row({{NameOf(r.trace), "name", ""},
                 {"`" + set.op + "`", "", ""},
                 {Grouped(set.members), "num", ""},
                 {member, "", ""}});
    }
    if (r.permitted_sets.size() > kShownSets) {
      page->Row({{NameOf(r.trace), "name", ""},
                 {"and " + Grouped(r.permitted_sets.size() - kShownSets) + " more", "quiet", ""},
                 {"", "", ""},
                 {"", "", ""}});
    }
  }
  page->EndTable();
  page->EndDetails();
}

}  // namespace

// A recorded answer that the reference does not permit and that nobody has explained.
void UnexplainedCard(const ReplayReport& r, const DifferenceReport& d, Html* page) {
  page->Open("article", "finding");
  page->Element("h3",
                "recording differs at Op " + std::to_string(d.ordinal) + " of `" + r.trace + "`");
  page->Open("dl");
  Term(page, "the Op", d.op);
  Term(page, "recorded", d.field + " = " + d.recorded, "should");
  Term(page, "reference", d.field + " = " + d.reference, "is");
  Term(page, "to replay", "build/opt/twinwalk replay --level " + r.level + " " + r.trace);
  page->Close("dl");
  page->Close("article");
}

// What fuzzing found.
void FuzzCard(const FuzzRow& row, Html* page) {
  if (row.status == 0 && row.finds == 0) return;
  page->Open("article", "finding");
  page->Element("h3", "find of `" + row.target + "` (status " + std::to_string(row.status) + ")");
  page->Open("pre");
  page->Text(row.told);
  page->Close("pre");
  page->Open("dl");
  Term(page, "to replay", row.replay);
  page->Close("dl");
  page->Close("article");
}

void FindingsSection(const Verification& v, Html* page) {
  page->BeginSection("findings", "Findings", "");
  const size_t before = page->text().size();
  for (const FindingReport& finding : v.findings()) FindingCard(finding, page);
  for (const auto* reports : {&v.captures, &v.goldens}) {
    for (const ReplayReport& r : *reports) {
      for (const DifferenceReport& d : r.differences)
        if (d.reason.empty()) UnexplainedCard(r, d, page);
      if (!r.error.empty()) page->Element("p", "`" + r.trace + "`: bad input, " + r.error, "bad");
      if (!r.met && r.findings.empty()) page->Element("p", "`" + r.trace + "`: " + r.why, "bad");
    }
  }
  for (const FuzzRow& row : v.fuzz) FuzzCard(row, page);
  if (page->text().size() == before) {
    page->Element("p",
                  "None. A finding would stand here with what should be, what is, and the "
                  "command that replays it.",
                  "lead");
  }
  page->EndSection();
}

void CapturesSection(const Verification& v, Html* page) {
  page->BeginSection("captures", "Recordings: three opinions",
                     "Each file is a recording of a real kernel. The recorded answers are held "
                     "against what the reference permits, and the model against the reference.");
  page->BeginTable({{"recording", "", ""},
                    {"Ops", "num", ""},
                    {"ioctls", "num", ""},
                    {"not typed", "num", "calls out of scope: counted, never compared"},
                    {"recorded against reference", "", ""},
                    {"differences", "", ""},
                    {"model against reference", "", ""},
                    {"several answers permitted", "", ""},
                    {"facts taken", "num",
                     "what the recording tells about its machine: taken into "
                     "the World, not compared"}});
  for (const ReplayReport& r : v.captures) {
    page->Row({{NameOf(r.trace), "name", r.trace},
               {Grouped(r.ops), "num", ""},
               {Grouped(r.ioctls), "num", ""},
               {Grouped(r.raw_ioctls), "num", ""},
               {RecordedWords(r), "", ""},
               {DifferWords(r), r.unexplained() != 0 ? "bad" : "", ""},
               {ModelWords(r), r.divergences + r.violations != 0 ? "bad" : "good", ""},
               {SetsWords(r), "", ""},
               {Grouped(r.environment), "num", ""}});
  }
  page->EndTable();
  if (v.captures.empty()) page->Element("p", "No recording was replayed.", "bad");
  Differences(v, page);
  PermittedSets(v, page);
  page->EndSection();
}

void GoldensSection(const Verification& v, Html* page) {
  page->BeginSection(
      "goldens", "Golden traces",
      "Small traces that people wrote, each with what every Op must answer. Some name "
      "a fault: planted in the model, it must be found; without it the trace agrees.");
  page->BeginTable({{"trace", "", ""},
                    {"Ops", "num", ""},
                    {"expected", "", ""},
                    {"came", "", ""},
                    {"found with the planted fault", "", ""},
                    {"stale answers taken", "num", ""}});
  for (const ReplayReport& r : v.goldens) {
    std::string planted;
    if (!r.planted.empty()) {
      const FindingReport& f = r.planted.front();
      planted = f.kind + (f.invariant.empty() ? "" : " of " + f.invariant) + " at Op " +
                std::to_string(f.ordinal);
    }
    page->Row({{NameOf(r.trace), "name", r.trace},
               {Grouped(r.ops), "num", ""},
               {r.expect, "", ""},
               {r.met ? r.result() : r.why, r.passed() ? "good" : "bad", ""},
               {planted, "", ""},
               {Grouped(r.other_member), "num", ""}});
  }
  page->EndTable();
  if (v.goldens.empty()) page->Element("p", "No golden trace was replayed.", "bad");
  for (const ReplayReport& r : v.goldens) {
    if (r.planted.empty() || !r.passed()) continue;
    page->BeginDetails("How a planted fault is told: `" + NameOf(r.trace) + "`");
    FindingCard(r.planted.front(), page);
    page->EndDetails();
  }
  page->EndSection();
}

}  // namespace twinwalk::reports

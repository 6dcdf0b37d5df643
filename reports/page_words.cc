// The page's sections on fuzzing, contested facts, freedoms, and what is not claimed.
#include "reports/page.h"
#include "traces/freedoms.h"
#include "traces/known_defects.h"
#include "traces/rules.h"

namespace twinwalk::reports {

void FuzzSection(const Verification& v, Html* page) {
  page->BeginSection(
      "fuzz", "Fuzzing",
      "The fuzz target is the lockstep itself: whatever the mutated calls do, the "
      "model must land inside what the reference permits, and every invariant holds.");
  if (v.fuzz.empty()) {
    page->Element("p", "Not run: `ninja fuzz` fills this.", "warn");
  } else {
    page->BeginTable({{"target", "", ""},
                      {"seeds", "num", ""},
                      {"runs", "num", ""},
                      {"counted by the target", "", ""},
                      {"finds", "num", ""}});
    for (const FuzzRow& row : v.fuzz) {
      std::string counts;
      for (const auto& [name, count] : row.counts)
        counts += (counts.empty() ? "" : ", ") + name + " " + Grouped(count);
      const bool bad = row.finds != 0 || row.status != 0;
      page->Row({{row.target, "name", ""},
                 {Grouped(row.seeds), "num", ""},
                 {Grouped(row.runs), "num", ""},
                 {counts, "", ""},
                 {row.finds == 0 && bad ? "failed" : Grouped(row.finds),
                  bad ? "num bad" : "num good", ""}});
    }
    page->EndTable();
  }
  if (!v.mutants.empty()) {
    page->Element("h3", "Planted faults of the model, looked for by fuzzing");
    page->Element("p",
                  "Each is one deviating line where real systems once had a fault. Those marked "
                  "as required must be found within a minute.",
                  "lead");
    page->BeginTable({{"fault", "", ""},
                      {"required", "", ""},
                      {"reported as", "", ""},
                      {"found after Ops", "num", ""},
                      {"shrunk to Ops", "num", ""}});
    for (const MutantRow& row : v.mutants) {
      page->Row({{row.fault, "name", ""},
                 {row.required ? "yes" : "", "", ""},
                 {row.found ? row.finding : "not found", row.found ? "good" : "warn", ""},
                 {row.found ? Grouped(row.ops) : "", "num", ""},
                 {row.found ? Grouped(row.shrunk) : "", "num", ""}});
    }
    page->EndTable();
  }
  page->EndSection();
}

void RulesSection(const Verification& v, Html* page) {
  page->BeginSection(
      "rules", "Contested facts",
      "Where texts, code and observation disagree, one named rule chooses. A World is "
      "a preset of these plus listed exceptions.");
  const Preset presets[] = {Preset::kLinux72, Preset::kRepaired};
  page->BeginTable({{"rule", "", ""},
                    {PresetName(presets[0]), "", ""},
                    {PresetName(presets[1]), "", ""},
                    {"source", "", ""},
                    {"kind", "", ""}});
  for (const RuleInfo& rule : AllRules()) {
    page->Row({{"`" + std::string(rule.name) + "`", "", ""},
               {PresetRules(presets[0]).*rule.value ? "yes" : "no", "", ""},
               {PresetRules(presets[1]).*rule.value ? "yes" : "no", "", ""},
               {rule.source, "", ""},
               {rule.tag, "", ""}});
  }
  page->EndTable();
  uint64_t met = 0;
  for (const auto* reports : {&v.captures, &v.goldens})
    for (const ReplayReport& r : *reports) met += r.known_defects;
  page->Element("h3", "Known defects of the described version");
  page->Element("p",
                "Broken invariants that a rule of a preset is known to break. They are counted, "
                "met " +
                    Grouped(met) + " times in these replays; nothing else is excused.",
                "lead");
  page->BeginTable({{"invariant", "", ""}, {"clause", "", ""}, {"why", "", ""}});
  for (const KnownDefect& defect : kKnownDefects)
    page->Row({{defect.invariant, "name", ""}, {defect.clause, "", ""}, {defect.reason, "", ""}});
  page->EndTable();
  page->EndSection();
}

void FreedomsSection(const Verification& v, Html* page) {
  page->BeginSection(
      "freedoms", "Freedoms",
      "Every choice that a comparison leaves open, with its reason and how often these "
      "replays used it. An Op whose permitted answers are too many to try is undecided "
      "and never passes in silence.");
  std::map<std::string, uint64_t> used;
  uint64_t undecided = 0;
  for (const auto* reports : {&v.captures, &v.goldens}) {
    for (const ReplayReport& r : *reports) {
      undecided += r.undecided;
      for (const auto& [name, count] : r.freedoms) used[name] += count;
    }
  }
  page->BeginTable({{"freedom", "", ""}, {"used", "num", ""}, {"reason", "", ""}});
  for (const Freedom& freedom : kFreedoms) {
    page->Row({{freedom.name, "name", ""},
               {Grouped(used[freedom.name]), "num", ""},
               {freedom.reason, "", ""}});
    used.erase(freedom.name);
  }
  for (const auto& [name, count] : used)
    page->Row({{name, "name bad", ""}, {Grouped(count), "num", ""}, {"not declared", "bad", ""}});
  page->Row({{"undecided", "name", ""},
             {Grouped(undecided), undecided != 0 ? "num bad" : "num", ""},
             {"too many permitted answers to try", "", ""}});
  page->EndTable();
  page->EndSection();
}

void LimitsSection(Html* page) {
  page->BeginSection("limits", "What is not claimed", "");
  page->Open("ul");
  for (const char* item : {
           "Nothing is proved about a kernel. A verdict is about our model of a text or a version.",
           "Checked by proof are the reference, and single steps of the model's walkers and table "
           "writer. The model's caches, queues and batching are tested in lockstep, not proved.",
           "A proof that `holds` says: no counterexample with at most the stated number of objects "
           "of "
           "each kind. More objects were not looked at.",
           "Trusted: the host kernel, the IOMMU, memory, and devices for which ATS was enabled.",
           "Not covered: side channels, interrupt remapping, liveness in real time, two ioctls "
           "that "
           "race inside the kernel; and in this version MSI, ATS, stalled faults and PASID.",
           "The recordings come from an emulated SMMUv3. Where the emulator departs from the "
           "architecture, the list above says so.",
       })
    page->Element("li", item);
  page->Close("ul");
  page->Element("h3", "To see it again");
  page->Raw("<pre class=\"cmd\">");
  page->Text(
      "./configure.py --install && ninja verify\n"
      "build/opt/twinwalk replay --level full traces/golden/*.txt\n"
      "build/opt/twinwalk prove");
  page->Raw("</pre>\n");
  page->EndSection();
}

}  // namespace twinwalk::reports

// The look of the page: system fonts, light and dark by the reader's setting, fit for printing.
#ifndef TWINWALK_REPORTS_PAGE_STYLE_H_
#define TWINWALK_REPORTS_PAGE_STYLE_H_

namespace twinwalk::reports {

inline constexpr const char* kPageStyle = R"(
:root {
  color-scheme: light dark;
  --ground: #fafaf8; --card: #ffffff; --ink: #1c1e22; --quiet: #62666e; --line: #e2e2dd;
  --good: #17683c; --good-tint: #e3f2e8; --bad: #a3211a; --bad-tint: #fbe7e4;
  --warn: #7a5200; --warn-tint: #fbf0d6; --calm: #56606e; --calm-tint: #eef0f3; --link: #1f4f99;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #15171a; --card: #1d2024; --ink: #e6e7e9; --quiet: #9aa0a8; --line: #33373d;
    --good: #7fd3a0; --bad: #ff9d92; --bad-tint: #4a1d1a;
    --warn: #ecc06a; --warn-tint: #3d2f10; --calm: #a6b0bd; --calm-tint: #282d34; --link: #8fb6f5;
    --good-tint: #18382a;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main, header > div, footer { max-width: 1180px; margin: 0 auto; padding: 0 28px; }
header { padding: 40px 0 8px; }
.brand { color: var(--quiet); font-size: 13px; letter-spacing: .08em; text-transform: uppercase; }
h1 { font-size: 34px; line-height: 1.2; margin: 6px 0 8px; font-weight: 650;
  letter-spacing: -.015em; }
h2 { font-size: 21px; margin: 0 0 4px; font-weight: 640; letter-spacing: -.01em; }
h3 { font-size: 16px; margin: 26px 0 8px; font-weight: 620; }
p { margin: 0 0 10px; max-width: 78ch; }
.lead { color: var(--quiet); }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
code, pre, .mono { font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono",
  monospace; }
code { overflow-wrap: anywhere; }
section { margin: 44px 0 0; }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 14px 0 0; font-size: 14px; }
.verdict { border-left: 5px solid; padding: 2px 0 2px 18px; margin: 18px 0 20px; }
.verdict.good { border-color: var(--good); } .verdict.bad { border-color: var(--bad); }
.verdict strong { font-size: 20px; font-weight: 640; }
.verdict p { margin: 4px 0 0; color: var(--ink); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 12px;
  margin: 20px 0 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 14px 16px; }
.tile b { display: block; font-size: 26px; line-height: 1.25; font-weight: 620;
  font-variant-numeric: tabular-nums; letter-spacing: -.01em; }
.tile.good b { color: var(--good); } .tile.bad b { color: var(--bad); }
.tile.warn b { color: var(--warn); }
.tile span { color: var(--quiet); font-size: 13px; display: block; line-height: 1.4; }
.scroll { overflow-x: auto; margin: 12px 0; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
th { text-align: left; font-weight: 560; color: var(--quiet); font-size: 12.5px;
  vertical-align: bottom; line-height: 1.3; }
th, td { padding: 7px 12px; border-bottom: 1px solid var(--line); }
tbody tr:last-child td { border-bottom: 0; }
td { vertical-align: top; }
.num { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.name { font-weight: 560; white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.quiet { color: var(--quiet); }
.strong { font-weight: 620; }
.matrix th, .matrix td { padding: 5px 6px; text-align: center; border-bottom: 0; }
.matrix th { max-width: 92px; }
.matrix th:first-child, .matrix td:first-child { text-align: left; padding-left: 12px; }
.matrix td { font-size: 12px; border: 2px solid var(--card); border-radius: 6px; }
.matrix td.name { font: 12.5px/1.5 ui-monospace, Menlo, Consolas, monospace; }
.holds { background: var(--good-tint); color: var(--good); font-weight: 560; }
.framed { background: var(--calm-tint); color: var(--calm); }
.refuted { background: var(--bad-tint); color: var(--bad); font-weight: 650; }
.unknown { background: var(--warn-tint); color: var(--warn); font-weight: 650; }
.absent { color: var(--quiet); }
.legend { display: flex; flex-wrap: wrap; gap: 6px 16px; font-size: 13px; color: var(--quiet);
  margin: 8px 0; }
.legend span span { display: inline-block; padding: 1px 8px; border-radius: 5px;
  margin-right: 6px; }
.finding { background: var(--card); border: 1px solid var(--line);
  border-left: 5px solid var(--bad);
  border-radius: 8px; padding: 16px 20px; margin: 14px 0; }
.finding h3 { margin: 0 0 8px; }
dl { display: grid; grid-template-columns: 108px 1fr; gap: 6px 14px; margin: 0; }
dt { color: var(--quiet); font-size: 13px; padding-top: 1px; }
dd { margin: 0; overflow-wrap: anywhere; }
dd pre { margin: 0; white-space: pre-wrap; }
.finding > pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 0 12px; }
.should { color: var(--good); } .is { color: var(--bad); }
details { margin: 10px 0; }
summary { cursor: pointer; color: var(--link); font-size: 14px; }
ul { margin: 8px 0; padding-left: 20px; max-width: 84ch; }
li { margin: 5px 0; }
pre.cmd { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 12px 16px; overflow-x: auto; }
footer { color: var(--quiet); font-size: 13px; margin-top: 56px; padding-bottom: 48px; }
@media print {
  body { font-size: 11px; background: #fff; } nav { display: none; }
  .scroll { overflow: visible; } section, .finding, tr { break-inside: avoid; }
  section { margin-top: 22px; }
}
)";

}  // namespace twinwalk::reports

#endif  // TWINWALK_REPORTS_PAGE_STYLE_H_

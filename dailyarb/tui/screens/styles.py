"""How panes look and which of them show at which size; colours come from the theme."""

from __future__ import annotations

from dailyarb.tui.lines import STYLES

_COLORS = {
    "warn": "$da-stale", "critical": "$da-halted", "key": "$accent", "head": "$secondary",
    "cursor": "$primary", "strong": "$foreground",
}  # fmt: skip
_WORDS = {
    "critical": "$da-text-critical", "live": "$da-text-live", "own": "$da-text-own",
    "head": "bold", "strong": "bold", "key": "bold", "halted": "bold reverse", "cursor": "bold",
    "stale": "bold", "warn": "bold",
}  # fmt: skip


def component_css() -> str:
    """Returns the rules of the line styles: one component class each."""
    rules = []
    for name in STYLES:
        color = _COLORS.get(name, f"$da-{name}")
        words = f" text-style: {_WORDS[name]};" if name in _WORDS else ""
        rules.append(f"StyleBearer > .da--{name} {{ color: {color};{words} }}")
    return "\n".join(rules)


LAYOUT = """
Screen { layout: vertical; background: $background; color: $foreground; }
#body { height: 1fr; }
StatusRows { height: 2; background: $panel; }
WhyLine, KeyBar, HourLine { height: 1; }
KeyBar { background: $panel; }
.pane {
    border: round $secondary; height: 1fr; width: 1fr; border-title-color: $foreground;
    border-title-style: bold; border-subtitle-color: $secondary;
}
.pane:focus { border: round $primary; border-title-color: $primary; }
.mode-live .pane { border: solid $secondary; }
.mode-live .pane:focus { border: solid $primary; }
.mode-paper .pane { border: dashed $secondary; }
.mode-paper .pane:focus { border: dashed $primary; }
.mode-replay .pane { border: double $secondary; }
.mode-replay .pane:focus { border: double $primary; }
.mode-dry .pane { border: ascii $secondary; }
.mode-dry .pane:focus { border: ascii $primary; }
.-ascii .pane { border: ascii $secondary; }
.-ascii .pane:focus { border: ascii $primary; }

#banner { display: none; }
.-splash #banner { display: block; height: 1fr; }
.-splash #body { display: none; }
.-alarm #banner { display: block; height: 6; border: heavy $error; }
.-slim #body, .-flat #body { display: none; }
.-slim #banner, .-flat #banner { display: none; }
.-slim WhyLine, .-flat WhyLine { height: 1fr; }

.wide-only, .normal-only, .narrow-only, .high-only { display: none; }
.-wide .wide-only { display: block; }
.-normal .normal-only { display: block; }
.-narrow .narrow-only { display: block; }
.-narrow .not-narrow { display: none; }
.-short .high-only { display: none; }

#row1 { height: 1fr; min-height: 5; }
#row2 { height: 9; }
#row3, #row5, #d-pnl { display: none; }
#d-hours { display: none; }
.-short.-narrow #d-hours, .-short.-slim #d-hours { display: block; }
.-tall #row2, .-high #row2 { height: 11; }
.-tall #row3, .-high #row3 { display: block; height: 9; }
.-tall #d-pnl, .-high #d-pnl { display: block; height: 5; }
.-high #row2 { height: 17; }
.-high #row3 { height: 12; }
.-high #row5 { display: block; height: 10; }
.-wide.-high #d-pnl { display: none; }
.-wide.-tall #d-pnl { display: none; }
.-tall.-narrow #d-pnl { height: 7; }
#d-breakers { width: 36; }
#d-up { width: 1fr; }
.-normal #d-up { width: 54; }
#d-reference { width: 36; }
.-wide #d-signals { width: 40; }
.-normal #d-signals { width: 1fr; }
#d-risk { width: 28; }
#d-funnel { width: 28; }
#d-orders { width: 1fr; }
.-normal #d-orders { width: 62; }
.-wide #d-events { display: none; }
.-wide #d-orders { width: 100; }
#d-alerts { width: 36; }
#d-pnl-wide { width: 1fr; }
.-normal #d-pnl-wide { display: none; }
#d-events-top { width: 1fr; }

#b1 { height: 1fr; }
#b2 { height: 10; }
.-tall #b2 { height: 14; }
.-high #b2 { height: 22; }
.-wide #b-reference { width: 1fr; }
.-wide #b-markets { width: 1fr; }

#s1 { height: 1fr; }
#s-decisions { height: 1fr; }
.-short #s-decisions { height: 8; }

#o-all { height: 1fr; layout: vertical; }
#o1 { height: 1fr; width: 1fr; }
#o-funnel { height: 8; }
.-short #o-funnel { height: 5; }
.-wide #o-all { layout: horizontal; }
.-wide #o-funnel { width: 40; height: 1fr; }

#p-strategy { height: 6; }
.-short #p-strategy { height: 5; }
#p2 { height: 1fr; }
#p-market { height: 9; }
.-short #p-market { display: none; }
#p-reconcile { height: 4; }
.-narrow #p-curve { width: 34; }

#r1 { height: 1fr; }
.-narrow #r1 { height: 11; layout: horizontal; }
#r2 { height: 1fr; }
.-wide #r-limits { width: 80; }

#f-feeds { height: 8; }
#f2 { height: 1fr; }
.-narrow #f-process { width: 34; }

#l-log { height: 2fr; }
#l-audit { height: 1fr; }

Dialog { align: center middle; background: $background 60%; }
Dialog > #box {
    width: 76; max-width: 100%; height: auto; max-height: 100%; border: heavy $primary;
    background: $surface; padding: 0 1; border-title-style: bold;
}
Dialog.-danger > #box { border: heavy $error; }
.-ascii-dialog > #box { border: ascii $primary; }
Dialog #text { height: auto; }
Dialog #scroll { height: auto; max-height: 100%; }
Dialog #foot { height: 1; color: $secondary; text-style: bold; }
Dialog Input { height: 1; border: none; background: $panel; padding: 0 1; }
FilterBar { dock: bottom; height: 1; display: none; }
"""

CSS = component_css() + LAYOUT

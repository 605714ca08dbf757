"""Style sheet of the page."""

from __future__ import annotations

__all__ = ["SPEAKER_COLOURS", "STYLE"]

# Colours of speakers, by turns: on light paper and on dark, each with a contrast of more than 4.5
# to its paper, and told apart without red and green as well.
SPEAKER_COLOURS = (
    ("#1559b3", "#8ab8ff"),
    ("#9c4a00", "#ffb870"),
    ("#007060", "#5fd6c3"),
    ("#8a2f8f", "#e6a3ea"),
    ("#5c6100", "#cdd45c"),
    ("#a3161f", "#ffa3a3"),
    ("#3f4fa0", "#b3bdff"),
    ("#5f5247", "#cfc0b2"),
)


def _colours(index: int) -> str:
    return " ".join(f"--s{number}: {pair[index]};" for number, pair in enumerate(SPEAKER_COLOURS))


STYLE = f"""
:root {{
  color-scheme: light dark;
  --page: #f6f5f1; --paper: #ffffff; --ink: #1d1f24; --soft: #565b66; --line: #d4d4d8;
  --edge: #7d818b; --accent: #1f5fbf; --lit: #ffe08a; --on-lit: #1d1f24;
  {_colours(0)}
}}
@media (prefers-color-scheme: dark) {{
  :root {{
    --page: #14161a; --paper: #1e2127; --ink: #ececea; --soft: #a9aeb9; --line: #383d47;
    --edge: #7f8592; --accent: #8ab8ff; --lit: #7a5c00; --on-lit: #ffffff;
    {_colours(1)}
  }}
}}
* {{ box-sizing: border-box; }}
body {{
  margin: 0; background: var(--page); color: var(--ink);
  font: 1rem/1.6 system-ui, sans-serif; overflow-wrap: anywhere;
}}
header, main {{ max-width: 64rem; margin: 0 auto; padding: 0 1rem; }}
h1 {{ margin: 1.2rem 0 0; font-size: 1.5rem; line-height: 1.25; }}
h2 {{ margin: 1.5rem 0 .5rem; font-size: 1.1rem; }}
.about {{ margin: .2rem 0 1rem; color: var(--soft); }}
.player {{
  position: sticky; top: 0; z-index: 1; background: var(--page);
  padding: .5rem 0; border-bottom: 1px solid var(--line);
}}
.player audio {{ display: block; width: 100%; height: 3rem; }}
.player label {{ display: inline-flex; gap: .5rem; align-items: center; min-height: 2rem; }}
.player input {{ width: 1.15rem; height: 1.15rem; accent-color: var(--accent); margin: 0; }}
.trouble {{ margin: .3rem 0; font-weight: 600; }}
.lane {{
  display: grid; grid-template-columns: minmax(7rem, 12rem) 1fr; gap: 0 .75rem;
  align-items: center; margin: .35rem 0;
}}
.lane b, .row b {{ color: var(--c); }}
.lane small {{ color: var(--soft); white-space: nowrap; }}
.track {{
  position: relative; height: 1.5rem; background: var(--paper);
  border: 1px solid var(--edge); border-radius: 3px; overflow: hidden;
}}
.track i {{
  position: absolute; top: 0; bottom: 0; min-width: 2px; background: var(--c);
}}
.track .head {{ min-width: 0; width: 2px; background: var(--ink); left: 0; }}
.heard .track {{ cursor: pointer; }}
.scale {{
  display: flex; justify-content: space-between; color: var(--soft); font-size: .85rem;
  margin-left: calc(min(12rem, max(7rem, 30%)) + .75rem);
}}
.row {{
  display: grid; grid-template-columns: 5.5rem 1fr; gap: 0 1rem; padding: .6rem 1rem;
  margin: .35rem 0; background: var(--paper); border-left: 4px solid var(--c, var(--line));
  border-radius: 3px;
}}
.row p {{ margin: 0; }}
.row .who {{ grid-column: 1 / -1; margin: 0 0 .1rem; }}
.row .who small {{ color: var(--soft); margin-left: .4rem; }}
.time {{ color: var(--soft); font: inherit; font-variant-numeric: tabular-nums; }}
button.time {{
  align-self: start; justify-self: start; min-height: 1.6rem; padding: 0 .5rem; cursor: pointer;
  color: var(--accent); background: none; border: 1px solid var(--edge); border-radius: 3px;
}}
.both .row {{ grid-template-columns: 5.5rem 1fr 1fr; }}
.translation {{ color: var(--soft); font-style: italic; }}
.heard [data-s] {{ cursor: pointer; border-radius: 2px; }}
.heard p [data-s]:hover {{ text-decoration: underline; }}
.now {{ background: var(--lit); color: var(--on-lit); box-shadow: 0 0 0 2px var(--lit); }}
:focus-visible {{ outline: 3px solid var(--accent); outline-offset: 2px; }}
@media (max-width: 40rem) {{
  .row, .both .row {{
    grid-template-columns: auto 1fr; gap: .3rem .75rem; padding: .6rem .75rem;
  }}
  .row .who {{ grid-area: 1 / 2; align-self: center; margin: 0; }}
  .row .time {{ grid-area: 1 / 1; }}
  .row > p:not(.who) {{ grid-column: 1 / -1; }}
  .lane {{ grid-template-columns: 1fr; gap: .1rem; }}
  .scale {{ margin-left: 0; }}
}}
@media print {{
  .player {{ display: none; }}
  .row {{ break-inside: avoid; }}
}}
"""

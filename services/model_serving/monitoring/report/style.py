"""The style sheet of the page."""

STYLE = """
:root { color-scheme: light dark; --back: #fff; --card: #f6f7f9; --text: #1d2433; --soft: #5d6779; --rule: #d9dee7;
  --before: #b9c3d3; --now: #2f62c9; --bad: #c0342b; --warn: #b07400; --good: #2b7d4f;
  --c0: #2f62c9; --c1: #d0692a; --c2: #2b8a6b; --c3: #9b4bb0; --c4: #b08a00; --c5: #55708f;
  --c6: #c04070; --c7: #4b8f2f; }
@media (prefers-color-scheme: dark) { :root { --back: #14171d; --card: #1d222b; --text: #e4e8ef; --soft: #9aa5b6;
  --rule: #343c4a; --before: #4a5567; --now: #7aa5ff; --bad: #ff7b72; --warn: #e3b341; --good: #6fcf97;
  --c0: #7aa5ff; --c1: #f0975c; --c2: #66c9a8; --c3: #ce8fe0; --c4: #e0c04c; --c5: #9db4cf;
  --c6: #f080a8; --c7: #90cf70; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1060px; padding: 28px 20px 60px; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 26px; margin: 0; } h2 { font-size: 19px; margin: 40px 0 10px; } h3 { font-size: 15px; margin: 0 0 4px; }
p { margin: 4px 0; } .soft, .empty { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 18px 0; }
.card { background: var(--card); border-radius: 8px; padding: 12px 14px; }
.card b { display: block; font-size: 22px; font-weight: 600; } .card > span { color: var(--soft); font-size: 13px; }
.columns { display: grid; grid-template-columns: repeat(auto-fill, minmax(310px, 1fr)); gap: 14px; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 20px; }
.major { color: var(--bad); } .minor { color: var(--warn); } .none { color: var(--good); }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 5px 10px; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { text-align: left; } th { color: var(--soft); font-weight: 500; }
.scroll { overflow-x: auto; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font-size: 11px; }
.before { fill: var(--before); } .now { fill: var(--now); } .axis, .grid { stroke: var(--rule); stroke-width: 1; }
.threshold { stroke: var(--bad); stroke-dasharray: 5 4; } .line { fill: none; stroke-width: 1.8; }
.band { opacity: 0.16; stroke: none; } .dot { stroke: none; }
.legend { font-size: 13px; color: var(--soft); } .legend span { margin-right: 14px; }
.legend i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 5px; }
""" + "".join(
    f".line.c{number} {{ stroke: var(--c{number}); }} .band.c{number}, .dot.c{number} {{ fill: var(--c{number}); }} "
    f".legend i.c{number} {{ background: var(--c{number}); }}\n"
    for number in range(8)
)

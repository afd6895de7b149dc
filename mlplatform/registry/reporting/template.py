"""The page of a gate report. It loads nothing: styles are inside, plots are data."""

STYLE = """
:root { color-scheme: light dark; --ink: #1f2933; --muted: #5d6875; --line: #dfe4ea; --back: #fff; --soft: #f5f7f9;
  --passed: #1a7f4b; --warned: #9a6700; --skipped: #5d6875; --failed: #b42318; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --muted: #a0abb8; --line: #333c47; --back: #14181d;
  --soft: #1c2229; --passed: #4cc38a; --warned: #e2b340; --skipped: #a0abb8; --failed: #ff8a7a; } }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 4rem; background: var(--back); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.25rem 0 .6rem; }
p { margin: .25rem 0; } .muted { color: var(--muted); }
.verdict { display: inline-block; margin: .75rem 0 0; padding: .2rem .7rem; border-radius: .3rem; font-weight: 600;
  border: 1px solid currentColor; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; font-weight: 600; color: var(--muted); }
th, td { padding: .45rem .8rem .45rem 0; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: anywhere; }
td.status, td.name { overflow-wrap: normal; white-space: nowrap; }
.passed { color: var(--passed); } .warned { color: var(--warned); } .skipped { color: var(--skipped); }
.failed { color: var(--failed); } td.status { font-weight: 600; }
tr.changed td { background: var(--soft); } td.number { font-variant-numeric: tabular-nums; }
img { max-width: 100%; height: auto; background: #fff; border: 1px solid var(--line); border-radius: .3rem; }
code { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
"""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ report.model }} version {{ report.version }} to {{ report.stage }}</title>
<style>{{ style }}</style>
</head>
<body>
<h1>{{ report.model }} version {{ report.version }} → {{ report.stage }}</h1>
<p class="muted">{{ created }} · asked for by {{ report.requester }} ·
{% if report.production %}version {{ report.production }} in production{% else %}nothing in production{% endif %}</p>
<p class="verdict {{ 'passed' if report.passed else 'failed' }}">
{{ 'Every gate is passed' if report.passed else 'Stopped by: ' ~ failed | join(', ') }}</p>

<h2>Gates</h2>
<table>
<thead><tr><th>gate</th><th>result</th><th>finding</th></tr></thead>
<tbody>
{% for finding in report.findings %}
<tr><td class="name">{{ finding.gate }}</td><td class="status {{ finding.status }}">{{ finding.status }}</td>
<td>{{ finding.message }}</td></tr>
{% endfor %}
</tbody>
</table>

{% if measurements %}
<h2>Metrics</h2>
<p class="muted">{{ comparison }}</p>
<img src="{{ plots.metrics }}" alt="Each metric of the candidate against production and the limit">
<table>
<thead><tr><th>metric</th><th>candidate</th><th>production</th><th>limit</th><th>result</th></tr></thead>
<tbody>
{% for row in measurements %}
<tr><td class="name">{{ row.metric }}</td><td class="number">{{ row.value | figure }}</td>
<td class="number">{{ row.production | figure }}</td>
<td class="number">{% if row.limit is none %}none{% else %}{{ '≥' if row.greater_is_better else '≤' }}
{{ row.limit | figure }}{% endif %}</td>
<td class="status {{ 'passed' if row.passed else 'failed' }}">{{ 'passed' if row.passed else 'failed' }}</td></tr>
{% endfor %}
</tbody>
</table>
{% endif %}

{% if trial %}
<h2>Trial in the serving path</h2>
{% if plots.latency %}
<img src="{{ plots.latency }}" alt="Time of each prediction of the input example">
{% endif %}
<table>
<thead><tr><th>figure</th><th>measured</th><th>budget</th></tr></thead>
<tbody>
{% for row in trial %}
<tr><td class="name">{{ row.name }}</td><td class="number">{{ row.measured }}</td>
<td class="number">{{ row.budget }}</td></tr>
{% endfor %}
</tbody>
</table>
{% endif %}

{% if fields %}
<h2>Signature</h2>
<table>
<thead><tr><th>what</th><th>name</th><th>production</th><th>candidate</th></tr></thead>
<tbody>
{% for row in fields %}
<tr{% if compared and row.production != row.candidate %} class="changed"{% endif %}><td>{{ row.kind }}</td>
<td><code>{{ row.name }}</code></td><td>{{ row.production or 'none' }}</td><td>{{ row.candidate or 'none' }}</td></tr>
{% endfor %}
</tbody>
</table>
{% for change in changes %}<p class="warned">{{ change }}</p>{% endfor %}
{% endif %}

<h2>Artifacts</h2>
<p>Digest <code>{{ digest }}</code></p>
</body>
</html>
"""

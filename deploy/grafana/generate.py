#!/usr/bin/env python3
"""Writes the dashboards beside this file again: `python3 deploy/grafana/generate.py`, or `--check` to only compare.

A dashboard is a list of rows, a row a list of panels, a panel a title, a kind and its expressions. In an expression, SEL stands for the
selector of the variables `prefix` and `stream`, PRE for that of `prefix` alone. The metrics are described in docs/metrics.md.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
PRE = 'prefix=~"$prefix"'
SEL = PRE + ', stream=~"$stream"'
RATE = "[$__rate_interval]"
BY = "sum by (group, lane)"


def expression(text):
    return " ".join(text.split()).replace("SEL", SEL).replace("PRE", PRE).replace("RATE", RATE)


# --- panels ----------------------------------------------------------------------------------------------------


def panel(kind, title, *targets, unit="short", about="", width=8, height=8, **more):
    """Targets are pairs of a legend and an expression."""
    return {
        "kind": kind, "title": title, "unit": unit, "about": about, "width": width, "height": height, "more": more,
        "targets": [(legend, expression(text)) for legend, text in targets],
    }


def stat(title, text, unit="short", about="", bad_from=None):
    steps = [{"color": "green", "value": None}]
    if bad_from is not None:
        steps.append({"color": "red", "value": bad_from})
    return panel("stat", title, ("", text), unit=unit, about=about, width=4, height=4, steps=steps)


def lines(title, *targets, unit="short", about="", **more):
    return panel("timeseries", title, *targets, unit=unit, about=about, **more)


def quantiles(title, metric, selector="SEL", by="group", about="", unit="s"):
    def of(share):
        return f"histogram_quantile({share}, sum by ({by + ', ' if by else ''}le) (rate({metric}_bucket{{{selector}}}RATE)))"

    legend = f"{{{{{by}}}}} " if by else ""
    return lines(title, (legend + "p50", of(0.5)), (legend + "p95", of(0.95)), unit=unit, about=about)


# --- rows that several dashboards have ----------------------------------------------------------------------------


def queue_row():
    return ("Queue", [
        lines("Backlog", ("{{stream}}", "sum by (stream) (maestro_queue_lag{SEL} + maestro_queue_pending{SEL} + maestro_queue_parked{SEL})"),
              about="Not yet delivered, in hand, and waiting for their turn."),
        lines("Lag and claimable",
              ("lag {{stream}} {{lane}}", "sum by (stream, lane) (maestro_queue_lag{SEL})"),
              ("claimable {{stream}} {{lane}}", "sum by (stream, lane) (maestro_queue_claimable{SEL})"),
              about="What nobody works on: the figure to scale by. The lag is a lower bound where its exactness below is 0."),
        lines("Age of the oldest", ("{{stream}}", "max by (stream) (maestro_queue_oldest_age_seconds{SEL})"), unit="s"),
        lines("Waiting for another try, for a time, for a turn",
              ("delayed {{stream}}", "sum by (stream) (maestro_stream_delayed{SEL})"),
              ("parked {{stream}}", "sum by (stream) (maestro_queue_parked{SEL})")),
        lines("Dead letters", ("{{stream}}", "sum by (stream) (maestro_stream_dead_letters{SEL})"),
              about="Those that wait for a decision: `maestro dead list`."),
        lines("Consumers", ("{{group}} {{state}}", "sum by (group, state) (maestro_queue_consumers{SEL})"),
              about="Each replica is one consumer in each lane of its stream."),
    ])


def delivery_row():
    return ("Delivery", [
        lines("Done a second", ("{{group}} {{lane}}", BY + "(rate(streams_committed_total{SEL}RATE))"), unit="ops"),
        quantiles("Time waited before a handler began", "streams_wait_seconds"),
        quantiles("Time in handlers", "streams_handler_seconds"),
        lines("In hand", ("{{group}}", "sum by (group) (streams_in_flight{SEL})")),
        lines("Put back or set aside, a second",
              ("retried {{group}}", "sum by (group) (rate(streams_retried_total{SEL}RATE))"),
              ("returned {{group}}", "sum by (group) (rate(streams_returned_total{SEL}RATE))"),
              ("dead {{group}}", "sum by (group) (rate(streams_dead_total{SEL}RATE))"), unit="ops"),
        lines("A dependency is unavailable", ("{{group}}", "max by (group) (streams_breaker_open{SEL})"), unit="bool_yes_no",
              about="While it is, nothing is fetched, and no delivery is spent."),
    ])


def trouble_row():
    def increase(metric):
        return f"sum by (group) (increase({metric}{{SEL}}RATE))"

    return ("Trouble survived", [
        lines("Workers lost",
              ("taken over {{group}}", increase("streams_taken_over_total")),
              ("handled alone {{group}}", increase("streams_quarantined_total")),
              about="Messages taken over from workers that let their lease run out; those with which two were lost."),
        lines("Late or twice",
              ("too late {{group}}", increase("streams_fenced_total")),
              ("duplicates {{group}}", increase("streams_duplicates_total")),
              ("found again {{group}}", increase("streams_recovered_total")),
              about="None of these had an effect."),
        lines("Redis",
              ("connections made anew {{group}}", increase("streams_reconnects_total")),
              ("groups made anew {{group}}", increase("streams_groups_recreated_total")),
              ("entries vanished {{group}}", increase("streams_vanished_total"))),
    ])


def handled_panels(worker):
    return [
        lines("Outcomes, a minute",
              ("{{outcome}}", f'sum by (outcome) (60 * rate(maestro_handled_total{{PRE, worker="{worker}"}}RATE))')),
        lines("Not taken at all, a minute",
              ("{{reason}}", f'sum by (reason) (60 * rate(maestro_unfit_total{{PRE, worker="{worker}"}}RATE))'),
              about="Set aside unhandled: the producer's to mend."),
    ]


# --- the dashboards --------------------------------------------------------------------------------------------------

FLEET = ("fleet", "Maestro: the fleet", "Everything at a glance.", [
    ("At a glance", [
        stat("Replicas", "count(maestro_build_info{PRE})", about="Those whose figures are there; one that was killed stays until its group is taken away."),
        stat("Backlog", "sum(maestro_queue_lag{SEL} + maestro_queue_pending{SEL} + maestro_queue_parked{SEL})"),
        stat("Oldest message", "max(maestro_queue_oldest_age_seconds{SEL})", unit="s", bad_from=900),
        stat("Dead letters", "sum(maestro_stream_dead_letters{SEL})", bad_from=1),
        stat("Dependencies away", "sum(max by (stream, group) (streams_breaker_open{SEL})) ", bad_from=1),
        stat("Queues read", "time() - max(maestro_queues_read_time_seconds{PRE})", unit="s", about="How long ago; old means that nobody reads them.", bad_from=180),
    ]),
    queue_row(),
    delivery_row(),
    trouble_row(),
    ("Streams and replicas", [
        lines("Length", ("{{stream}} {{lane}}", "sum by (stream, lane) (maestro_stream_length{SEL})"), about="Handled entries within the retention included."),
        lines("Trimmed a second, and consumers cleaned up",
              ("trimmed {{group}}", "sum by (group) (rate(streams_trimmed_total{SEL}RATE))"),
              ("deleted {{group}}", "sum by (group) (increase(streams_consumers_deleted_total{SEL}RATE))")),
        lines("Is the lag exact?", ("{{stream}} {{lane}}", "min by (stream, lane) (maestro_queue_lag_known{SEL})"), unit="bool_yes_no"),
        lines("Memory", ("{{instance}}", "maestro_resident_bytes{PRE}"), unit="bytes"),
        lines("Open files", ("{{instance}}", "maestro_open_files{PRE}")),
        lines("Pushes a minute", ("{{instance}} {{outcome}}", "60 * rate(maestro_metrics_pushes_total{PRE}RATE)")),
        lines("Age of what is shown", ("{{instance}}", "(time() - push_time_seconds) and on (job, instance) maestro_build_info{PRE}"), unit="s", about="With a Pushgateway only."),
        lines("Up for", ("{{instance}}", "time() - maestro_start_time_seconds{PRE}"), unit="s"),
        lines("Versions", ("{{version}}", "count by (version) (maestro_build_info{PRE})")),
    ]),
])

TRIAGE = ("triage", "Maestro: triage", "What is reported, and what is decided on it.", [
    ("Decisions", [
        lines("Decisions, a minute", ("{{decision}}", "sum by (decision) (60 * rate(maestro_triaged_total{PRE}RATE))")),
        lines("Kinds of errors, a minute", ("{{kind}}", "sum by (kind) (60 * rate(maestro_triaged_total{PRE}RATE))")),
        *handled_panels("triage"),
    ]),
])

HEAL = ("heal", "Maestro: heal", "What becomes of failing tests, and what it costs.", [
    ("Verdicts", [
        lines("Verdicts, an hour", ("{{verdict}}", "sum by (verdict) (increase(maestro_heals_total{PRE}[1h]))")),
        lines("Healed or proposed, by strategy, an hour",
              ("{{strategy}}", 'sum by (strategy) (increase(maestro_heals_total{PRE, verdict=~"healed|proposed"}[1h]))')),
        lines("Share of heals that are healed or proposed",
              ("share", 'sum(increase(maestro_heals_total{PRE, verdict=~"healed|proposed"}[1h])) / sum(increase(maestro_heals_total{PRE}[1h]))'), unit="percentunit"),
    ]),
    ("Time", [
        quantiles("Time of a heal", "maestro_heal_seconds", selector="PRE", by="verdict"),
        lines("What heals spend their time on, seconds a heal",
              ("{{step}}", "sum by (step) (rate(maestro_heal_step_seconds_sum{PRE}RATE)) / ignoring (step) group_left sum(rate(maestro_heal_seconds_count{PRE}RATE))"), unit="s", stacked=True),
        *handled_panels("heal"),
    ]),
])

PROVISION = ("provision", "Maestro: provision", "Environments on their way up.", [
    ("Coming up", [
        lines("Phases reached, a minute", ("{{phase}}", 'sum by (phase) (60 * rate(maestro_environment_phases_total{PRE, phase=~"accepted|provisioning|ready|failed"}RATE))')),
        quantiles("From the request to ready", "maestro_environment_ready_seconds", selector="PRE", by=""),
        lines("Said while still at work, a minute", ("{{group}}", "sum by (group) (60 * rate(streams_progress_total{SEL}RATE))")),
        *handled_panels("provision"),
    ]),
])

CLEANUP = ("cleanup", "Maestro: cleanup", "Environments on their way down.", [
    ("Going down", [
        lines("Taken away, a minute", ("{{cause}}", "sum by (cause) (60 * rate(maestro_environments_deleted_total{PRE}RATE))")),
        lines("Phases reached, a minute", ("{{phase}}", 'sum by (phase) (60 * rate(maestro_environment_phases_total{PRE, phase=~"deleting|deleted"}RATE))')),
        *handled_panels("cleanup"),
    ]),
])

ENVIRONMENTS = ("environments", "Maestro: environments", "The life of environments, from the request to the last trace.", [
    ("At a glance", [
        stat("Ready, the last hour", 'sum(increase(maestro_environment_phases_total{PRE, phase="ready"}[1h]))'),
        stat("Failed, the last hour", 'sum(increase(maestro_environment_phases_total{PRE, phase="failed"}[1h]))', bad_from=1),
        stat("Gone, the last hour", 'sum(increase(maestro_environment_phases_total{PRE, phase="deleted"}[1h]))'),
        stat("p95 to ready", "histogram_quantile(0.95, sum by (le) (increase(maestro_environment_ready_seconds_bucket{PRE}[1h])))", unit="s"),
        stat("Tests passed, the last hour", 'sum(increase(maestro_environment_tests_total{PRE, outcome="passed"}[1h]))'),
        stat("Requests waiting", 'sum(maestro_queue_lag{PRE, group="provision"} + maestro_queue_pending{PRE, group="provision"})'),
    ]),
    ("Life", [
        lines("Phases reached, an hour", ("{{phase}}", "sum by (phase) (increase(maestro_environment_phases_total{PRE}[1h]))")),
        quantiles("From the request to ready", "maestro_environment_ready_seconds", selector="PRE", by=""),
        lines("Taken away, an hour", ("{{cause}}", "sum by (cause) (increase(maestro_environments_deleted_total{PRE}[1h]))")),
    ]),
    ("Tests", [
        lines("Test runs, an hour", ("{{outcome}}", "sum by (outcome) (increase(maestro_environment_tests_total{PRE}[1h]))")),
        quantiles("Time of a test run", "maestro_environment_test_seconds", selector="PRE", by="outcome"),
        lines("Kubernetes is unavailable", ("{{group}}", 'max by (group) (streams_breaker_open{PRE, group=~"provision|cleanup"})'), unit="bool_yes_no"),
    ]),
])

for dashboard in (TRIAGE, HEAL, PROVISION, CLEANUP):
    dashboard[3].extend([queue_row(), delivery_row(), trouble_row()])


# --- Grafana's JSON ----------------------------------------------------------------------------------------------------

SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def query(name, label, text):
    return {
        "name": name, "label": label, "type": "query", "datasource": SOURCE, "definition": text,
        "query": {"query": text, "refId": name}, "refresh": 2, "sort": 1, "multi": True, "includeAll": True, "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def variables(name):
    group = "" if name in ("fleet", "environments") else f', group="{name}"'
    stream = f'label_values(maestro_queue_lag{{{PRE}{group}}}, stream)'
    found = [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        query("prefix", "tenant", "label_values(maestro_build_info, prefix)"),
    ]
    if name != "environments":
        found.append(query("stream", "stream", stream))
    # A dashboard of one kind of worker shows its own streams alone, even where all are chosen.
    if group:
        found[-1]["allValue"] = STREAMS[name]
    return found


STREAMS = {"triage": "automation:errors", "heal": "automation:heal", "provision": "k8s:provision", "cleanup": "k8s:cleanup"}


def drawn(number, one, x, y):
    kind, more = one["kind"], one["more"]
    defaults = {"unit": one["unit"]}
    if kind == "stat":
        defaults["thresholds"] = {"mode": "absolute", "steps": more["steps"]}
        options = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "value", "graphMode": "area"}
    else:
        defaults["min"] = 0
        defaults["custom"] = {"fillOpacity": 10, "showPoints": "never", "stacking": {"mode": "normal" if more.get("stacked") else "none"}}
        options = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    return {
        "id": number, "type": kind, "title": one["title"], "description": one["about"], "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": one["width"], "h": one["height"]},
        "fieldConfig": {"defaults": defaults, "overrides": []}, "options": options,
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": expr, "legendFormat": legend or "__auto"}
            for at, (legend, expr) in enumerate(one["targets"])
        ],
    }


def laid_out(rows):
    panels, y = [], 0
    for title, row in rows:
        panels.append({
            "id": len(panels) + 1, "type": "row", "title": title, "collapsed": False, "panels": [],
            "gridPos": {"x": 0, "y": y, "w": 24, "h": 1},
        })
        x, y, tallest = 0, y + 1, 0
        for one in row:
            if x + one["width"] > 24:
                x, y, tallest = 0, y + tallest, 0
            panels.append(drawn(len(panels) + 1, one, x, y))
            x, tallest = x + one["width"], max(tallest, one["height"])
        y += tallest
    return panels


def dashboard(name, title, about, rows):
    return {
        "uid": f"maestro-{name}", "title": title, "description": about, "tags": ["maestro"], "schemaVersion": 38, "version": 1,
        "editable": True, "refresh": "30s", "time": {"from": "now-6h", "to": "now"}, "timezone": "browser",
        "links": [{"type": "dashboards", "tags": ["maestro"], "title": "Maestro", "asDropdown": True, "includeVars": True, "keepTime": True}],
        "templating": {"list": variables(name)}, "panels": laid_out(rows),
    }


def main():
    stale = []
    for name, *rest in (FLEET, TRIAGE, HEAL, PROVISION, CLEANUP, ENVIRONMENTS):
        path = HERE / f"{name}.json"
        text = json.dumps(dashboard(name, *rest), indent=2, ensure_ascii=False) + "\n"
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
    if stale:
        sys.exit(f"not what deploy/grafana/generate.py writes: {', '.join(stale)}; run it again")


if __name__ == "__main__":
    main()

"""The Grafana dashboard asks only for metrics that exist, and for all that are the shim's own."""

from __future__ import annotations

import json
import re
from itertools import combinations

from support.apps import guarded
from support.pages import ROOT

from flask_shim.observability.metrics import metrics_of

DASHBOARD = json.loads((ROOT / "docs" / "grafana" / "flask-shim.json").read_text(encoding="utf-8"))
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


def test_dashboard_and_metrics_name_the_same():
    app, _ = guarded()
    exported = {
        metric.name: {f"{metric.name}{suffix}" for suffix in SUFFIXES[metric.type]}
        for metric in metrics_of(app).registry.collect()
        if metric.name.startswith("shim_")
    }
    asked = set(re.findall(r"\bshim_\w+", json.dumps(DASHBOARD)))
    assert asked <= set().union(*exported.values())
    assert [name for name, samples in exported.items() if not samples & asked] == []


def test_panels_have_their_own_ids_and_do_not_overlap():
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in combinations((panel["gridPos"] for panel in panels), 2):
        is_beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        is_below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert is_beside or is_below

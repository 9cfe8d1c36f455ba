"""Tables of questions: what is measured, what is missing, as text, Markdown and data."""

import numpy as np

from jaxvis.evaluate import tables
from jaxvis.evaluate.questions.question import Metric, Question

METRICS = (Metric("good", "high", "more is better"), Metric("bad", "low", "less is better"))


def test_tables_show_mean_interval_and_what_is_missing():
    values = np.array([0.0, 1.0] * 50)
    rows = {"a": {"good": values, "bad": np.full(100, np.nan)}, "bb": {"good": values}}
    table = Question("is", "Is it?", METRICS, rows)
    lines = tables.text(table).splitlines()
    assert lines[0] == "Is it?"
    assert lines[1].split("  ") == ["map, 100 images", "good ↑", "           bad ↓"] or (
        lines[1].startswith("map, 100 images  good ↑")
    )
    assert lines[3].startswith("a                0.50 [0.4")
    assert lines[3].endswith("-")
    found = tables.markdown(table).splitlines()
    assert found[0] == "| map, 100 images | good ↑ | bad ↓ |"
    assert found[2].startswith("| a | 0.50 [0.4")
    table.values["a"]["good"][:40] = np.nan
    assert "0.50 [0.3" in tables.markdown(table) or "0.50 [0.4" in tables.markdown(table)
    assert " of 60 |" in tables.markdown(table)
    assert '"of 5"' in tables.text(table)
    table.values["a"]["good"] = values
    told = tables.data(table)["maps"]
    assert told["a"]["good"]["mean"] == 0.5
    assert told["a"]["bad"] == {"mean": None, "low": None, "high": None, "images": 0}
    assert told["bb"]["bad"]["images"] == 0

"""Tables: what decides and what is clear of it; what is measured, and what is missing."""

import numpy as np

from jaxvis.evaluate import tables
from jaxvis.evaluate.metrics.baselines import BASELINES
from jaxvis.evaluate.questions.question import Metric, Question
from jaxvis.evaluate.verdict import verdict

METRICS = (Metric("good", "high", "more is better"), Metric("bad", "low", "less is better"))


def test_tables_show_mean_interval_and_what_is_missing():
    values = np.array([0.0, 1.0] * 50)
    rows = {"a": {"good": values, "bad": np.full(100, np.nan)}, "bb": {"good": values}}
    table = Question("is", "Is it?", METRICS, rows)
    found = tables.markdown(table).splitlines()
    assert found[0] == "| map, 100 images | good (high) | bad (low) |"
    assert found[1] == "|---|---|---|"
    assert found[2] == "| a | 0.50 [0.40, 0.60] | - |"
    assert found[3] == "| bb | 0.50 [0.40, 0.60] | - |"
    table.values["a"]["good"][:40] = np.nan
    assert " of 60 |" in tables.markdown(table)
    assert '"of 5"' in tables.markdown(table)
    table.values["a"]["good"] = values
    told = tables.data(table)["maps"]
    assert told["a"]["good"]["mean"] == 0.5
    assert told["a"]["bad"] == {"mean": None, "low": None, "high": None, "images": 0}
    assert told["bb"]["bad"]["images"] == 0


def steady(mean):
    return mean + np.linspace(-0.01, 0.01, 30)


def asked():
    """A map that is better by one metric and not by the other, and changes by one likeness."""
    values = {"Grad-CAM guided": {"good": steady(0.9), "bad": steady(0.5)}}
    values |= {name: {"good": steady(0.5), "bad": steady(0.5)} for name in BASELINES}
    likeness = (Metric("like", "", "how like"), Metric("top", "", "of the strongest"))
    rows = {"like": np.stack([steady(0.95)] * 2), "top": np.stack([steady(0.3)] * 2)}
    means = {name: array.mean(axis=0) for name, array in rows.items()}
    return [
        Question("is", "Is it?", METRICS, values, ("good", "bad")),
        Question("last", "Does it?", likeness, {"Grad-CAM guided": means}, ("like", "top"), 0.8,
                 {"Grad-CAM guided": rows}),
    ]  # fmt: skip


def test_one_table_decides():
    questions = asked()
    rows = tables.deciding(questions, verdict(questions)).splitlines()
    assert rows[0] == "| map | good | bad | last: like | last: top | passes |"
    assert rows[2] == "| Grad-CAM guided | 0.90 + | 0.50 ? | 0.95 - | 0.30 + | 1 of 2 |"
    assert rows[3] == "| random | 0.50 | 0.50 |  |  |  |"
    assert rows[5].startswith("| edge detector |")
    legend = "\n".join(rows[6:])
    assert "`+` clearly better than every control, `-` clearly worse than one" in legend
    assert "below 0.8 (ours)" in legend
    assert "Images: is 30, last 30." in legend


def test_one_worse_control_makes_a_map_worse():
    questions = asked()
    questions[0].values["random"]["good"] = steady(0.95)
    rows = tables.deciding(questions, verdict(questions)).splitlines()
    assert rows[2].startswith("| Grad-CAM guided | 0.90 - | 0.50 ? |")
    questions[0].values["random"]["good"] = steady(0.9)
    rows = tables.deciding(questions, verdict(questions)).splitlines()
    assert rows[2].startswith("| Grad-CAM guided | 0.90 ? | 0.50 ? |")

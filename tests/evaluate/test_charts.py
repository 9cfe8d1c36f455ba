"""What the charts draw, read back from the figures: no picture is compared."""

import numpy as np
import pytest

from jaxvis.evaluate.charts import CONTROL, OTHER, RULE_COLOURS, chart, course_chart
from jaxvis.evaluate.metrics.baselines import BASELINES
from jaxvis.evaluate.questions.depends import Course, Likeness
from jaxvis.evaluate.questions.question import Metric, Question

METRICS = (
    Metric("up", "high", "more is better"),
    Metric("down", "low", "less is better"),
    Metric("neither", "", "only told"),
)
NAMES = ["saliency guided", "Grad-CAM vanilla", "Grad-CAM own", *BASELINES]


def asked(metrics=METRICS, **options):
    """Every map with means of its own, a metric that one lacks, and NaN on some images."""
    values = {
        name: {m.name: row + 10 * place + np.array([-0.5, 0.5]) for place, m in enumerate(metrics)}
        for row, name in enumerate(NAMES)
    }
    values["Grad-CAM own"]["up"] = np.array([np.nan, 7.0])  # one image: no interval
    values["saliency guided"]["down"] = np.array([np.nan, np.nan])
    values["edge detector"]["down"] = np.array([np.nan, np.nan])
    return Question("is", "Is it?", tuple(metrics), values, **options)


def drawn(axis):
    """Points by row, intervals by row, and where dashed lines stand."""
    points, intervals, dashed = {}, {}, []
    for line in axis.lines:
        x, y = line.get_xdata(), line.get_ydata()
        if line.get_linestyle() == "--":
            dashed.append(x[0])
        elif line.get_marker() == "o":
            points[int(y[0])] = (x[0], line.get_color(), line.get_markerfacecolor())
        else:
            assert y[0] == y[1]
            intervals[int(y[0])] = (x[0], x[1], line.get_color())
    return points, intervals, dashed


def test_a_point_is_a_mean_in_its_row_and_a_line_its_interval():
    question = asked()
    axes = chart(question).axes
    assert [axis.get_title() for axis in axes] == [
        "up\nhigher is better", "down\nlower is better", "neither\n",
    ]  # fmt: skip
    assert [text.get_text() for text in axes[0].get_yticklabels()] == NAMES
    assert list(axes[0].get_yticks()) == list(range(6))
    for axis in axes:
        assert axis.get_ylim() == (5.5, -0.5)  # the first map is uppermost
    for axis, metric in zip(axes, METRICS, strict=True):
        points, intervals, _ = drawn(axis)
        for row, name in enumerate(NAMES):
            values = question.values[name][metric.name]
            known = values[~np.isnan(values)]
            assert (row in points) == (len(known) > 0)
            assert (row in intervals) == (len(known) > 1)
            if len(known):
                assert points[row][0] == pytest.approx(known.mean())
            if len(known) > 1:  # two images: resampled means are at one or the other at the ends
                assert intervals[row][:2] == (known.min(), known.max())


def test_colours_tell_the_rule_and_what_is_filled_the_layer():
    points, intervals, _ = drawn(chart(asked()).axes[2])
    guided, vanilla = RULE_COLOURS["guided"], RULE_COLOURS["vanilla"]
    wanted = {0: (guided, "white"), 1: (vanilla, vanilla), 2: (OTHER, OTHER)}
    wanted |= dict.fromkeys((3, 4, 5), (CONTROL, CONTROL))
    assert {row: point[1:] for row, point in points.items()} == wanted
    assert {row: found[2] for row, found in intervals.items()} == {
        row: colour for row, (colour, _) in wanted.items()
    }


def test_the_dashed_line_is_the_best_control_or_the_questions_own():
    """Controls stand in the rows 3, 4 and 5; of `down` the last of them has no value."""
    assert [drawn(axis)[2] for axis in chart(asked()).axes] == [[5.0], [13.0], []]
    own = chart(asked(decide=("neither",), line=0.8))
    assert [drawn(axis)[2] for axis in own.axes] == [[5.0], [13.0], [0.8]]
    without = asked()
    for name in BASELINES:
        del without.values[name]
    assert [drawn(axis)[2] for axis in chart(without).axes] == [[], [], []]


@pytest.mark.parametrize(("count", "lines", "columns"), [(1, 1, 1), (5, 1, 5), (7, 2, 4)])
def test_as_many_panels_as_metrics_in_lines_of_five_at_most(count, lines, columns):
    metrics = [Metric(f"m{i}", "high", "") for i in range(count)]
    values = {NAMES[0]: {m.name: np.array([1.0, 2.0]) for m in metrics}}
    figure = chart(Question("is", "Is it?", tuple(metrics), values))
    assert [axis.get_title().split("\n")[0] for axis in figure.axes] == [m.name for m in metrics]
    grid = figure.axes[0].get_subplotspec().get_gridspec()
    assert (grid.nrows, grid.ncols) == (lines, columns)
    assert figure.get_suptitle() == "Is it? (2 images)"


def test_likeness_layer_by_layer():
    """Every value another number, so that no panel can show another's."""
    layers = ["top", "middle", "stem"]

    def stages(first):
        return {
            layer: {
                name: Likeness(*(first + np.array([place, np.nan, place + 2]) / 10 + 100 * kind
                                 + 10 * step for kind in range(4)))
                for place, name in enumerate(NAMES[:2])
            }
            for step, layer in enumerate(layers)
        }  # fmt: skip

    course = Course(stages(0.0), stages(1000.0))
    course.cascading["stem"]["saliency guided"].rank[:] = np.nan
    figure = course_chart(course)
    assert len(figure.axes) == 6
    for number, axis in enumerate(figure.axes):
        field = ("rank", "strongest", "ssim")[number % 3]
        found, title = (
            (course.cascading, "from the last layer downwards") if number < 3
            else (course.independent, "one layer alone")
        )  # fmt: skip
        heading = ("rank correlation", "strongest 1 %", "SSIM")[number % 3]
        assert axis.get_title() == f"{heading}: {title}"
        assert [text.get_text() for text in axis.get_xticklabels()] == layers
        assert list(axis.get_xticks()) == [0, 1, 2]
        assert [line.get_label() for line in axis.lines] == NAMES[:2]
        assert [line.get_linestyle() for line in axis.lines] == ["--", "-"]
        for line in axis.lines:
            assert list(line.get_xdata()) == [0, 1, 2]
            for value, layer in zip(line.get_ydata(), layers, strict=True):
                values = getattr(found[layer][line.get_label()], field)
                known = values[~np.isnan(values)]
                wanted = known.sum() / len(known) if len(known) else np.nan
                assert value == pytest.approx(wanted, nan_ok=True)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == NAMES[:2]

"""The user's Matplotlib style and our figures, which do not reach each other; 16 threads."""

import io
import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import jax
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

import jaxvis as jv
from jaxvis.evaluate.charts import chart, course_chart
from jaxvis.evaluate.questions.depends import Course, Likeness
from jaxvis.evaluate.questions.question import Metric, Question
from jaxvis.pictures import figures, render
from jaxvis.pictures.figures import MapRow

# White on white, upside down, by a LaTeX that may not be there, of another size.
HOSTILE = {
    "text.color": "white", "axes.labelcolor": "white", "xtick.color": "white",
    "ytick.color": "white", "axes.titlecolor": "white", "font.size": 40, "font.family": "monospace",
    "text.usetex": True, "savefig.dpi": 30, "savefig.facecolor": "black",
    "savefig.transparent": True, "savefig.bbox": "tight", "figure.facecolor": "black",
    "figure.dpi": 20, "figure.frameon": False, "image.origin": "lower", "image.aspect": "auto",
    "image.cmap": "gray", "image.interpolation": "bicubic", "axes.grid": True,
    "axes.facecolor": "red", "axes.titlelocation": "left", "axes.titley": 0.2,
    "lines.linewidth": 9, "lines.marker": "x", "path.sketch": (5, 20, 3), "ytick.right": True,
    "ytick.left": False, "legend.frameon": True, "axes.spines.left": False, "path.simplify": False,
    "text.hinting": "no_hinting", "axes.unicode_minus": False,
    "axes.prop_cycle": plt.cycler(lw=[5]), "figure.constrained_layout.use": False,
    "figure.autolayout": True, "axes.xmargin": 0.4,
}  # fmt: skip


def figure_of_maps():
    rng = np.random.Generator(np.random.PCG64(5))
    images = rng.integers(0, 256, (2, 16, 16, 3), np.uint8)
    rows = [
        MapRow("saliency: a", rng.normal(0, 1, (2, 16, 16)), False),
        MapRow("Grad-CAM: b", rng.normal(0, 1, (2, 4, 4)), True),
    ]
    return figures.figure_comparison(images, ["one 1.5 %", "two"], rows, title="A title")


def chart_of_values():
    values = {"saliency guided": {"m": np.linspace(-1, 1, 9)}, "noise": {"m": np.zeros(9)}}
    return chart(Question("which", "Which?", (Metric("m", "high", "a number"),), values, ("m",)))


def chart_of_layers():
    stages = {
        layer: {"saliency vanilla": Likeness(*(np.linspace(0, 1, 4) for _ in Likeness._fields))}
        for layer in ("fc2", "fc1")
    }
    return course_chart(Course(stages, stages))


FIGURES = [figure_of_maps, chart_of_values, chart_of_layers]


def saved(draw, folder):
    return render.save(draw(), folder / "figure.png").read_bytes()


@pytest.mark.parametrize("draw", FIGURES)
def test_the_users_style_does_not_reach_the_figures(draw, tmp_path):
    wanted = saved(draw, tmp_path)
    with plt.rc_context():
        plt.style.use("dark_background")
        matplotlib.rcParams.update(HOSTILE)
        before = dict(matplotlib.rcParams)
        assert saved(draw, tmp_path) == wanted
        assert dict(matplotlib.rcParams) == before
    with plt.rc_context():
        plt.xkcd()
        assert saved(draw, tmp_path) == wanted


def test_nor_the_figures_that_the_user_saves_or_a_notebook_shows(tmp_path):
    def by_hand():
        shown, figure = io.BytesIO(), figure_of_maps()
        with plt.rc_context():
            if hostile:
                matplotlib.rcParams.update(HOSTILE)
            figure.savefig(shown, metadata={"Software": None})
            figure.canvas.draw()
        return shown.getvalue(), np.asarray(figure.canvas.buffer_rgba()).tobytes()

    hostile = False
    wanted = by_hand()
    hostile = True
    assert by_hand() == wanted


def test_a_setting_that_the_user_makes_while_we_draw_stays():
    with plt.rc_context({"font.size": 40, "lines.linewidth": 9}):
        with render.plain_style():
            assert matplotlib.rcParams["font.size"] == 10
            matplotlib.rcParams["font.size"] = 12
        assert matplotlib.rcParams["font.size"] == 12
        assert matplotlib.rcParams["lines.linewidth"] == 9


def test_16_threads_load_explain_and_draw(tmp_path):
    """Each gets what one alone gets, and nothing global is other than it was."""
    places = jv.demo_images()

    def work(number):
        folder = tmp_path / str(number)
        folder.mkdir()
        images = jv.load_images(places[number % 4])
        network = jv.load("demo")
        maps = jv.explain(network.model, network.preprocess(images), layer=network.layer)
        figure = figures.figure_grad_cam(images, maps.grad_cam["guided"], ["a goose"], title=None)
        return jax.device_get(maps), render.save(figure, folder / "a.png").read_bytes()

    def state():
        settings = dict(matplotlib.rcParams), dict(os.environ), dict(jax.config.values)
        return *settings, list(warnings.filters)

    with plt.rc_context({"text.color": "white", "font.size": 40}):
        before = state()
        with ThreadPoolExecutor(16) as pool:
            together = list(pool.map(work, range(16)))
        assert state() == before
    alone = [work(16 + number) for number in range(4)]
    for number, (maps, picture) in enumerate(together):
        jax.tree.map(np.testing.assert_array_equal, maps, alone[number % 4][0])
        assert picture == alone[number % 4][1]

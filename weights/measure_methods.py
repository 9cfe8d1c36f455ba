"""What methods of many passes answer, on few scenes: `python weights/measure_methods.py METHOD ...`

`jaxvis evaluate` explains 24 images by some 35 networks, layer by layer, which takes hours where a
map takes seconds. This asks three of its five questions: where is it, which of two, and does it
depend on the network, of three random draws of all layers and of the last, as a report does. It
prints the table of means and what is settled, as Markdown, under the vanilla rule.
"""

import argparse
import time

import jax

import jaxvis as jv
import jaxvis.evaluate as ev
from jaxvis.evaluate.evaluation import ask_where, ask_which
from jaxvis.evaluate.questions.depends import does_it_depend_quickly
from jaxvis.evaluate.questions.question import Question
from jaxvis.evaluate.tables import deciding
from jaxvis.evaluate.verdict import verdict
from jaxvis.methods.options import Options


def ask(network: jv.Network, methods: list[str], scenes: int, closely: int) -> list[Question]:
    """The questions, answered; one line on each as it is done."""
    begun = time.monotonic()

    def done(question: str) -> None:
        print(f"{question}: {time.monotonic() - begun:.0f} s", flush=True)

    def silent(_: str) -> None:
        pass

    options: Options = {"methods": tuple(methods), "rules": ("vanilla",)}
    subjects = ev.scene_subjects(network, scenes)
    where = ask_where(network, subjects, silent, options)
    done(f"where, {scenes} scenes")
    which = ask_which(network, ev.pair_subjects(network, scenes // 4), silent, options)
    done(f"which, {scenes // 4} pairs")
    depends = does_it_depend_quickly(network, subjects.first(closely), **options)
    done(f"depends, {closely} scenes")
    return [where, which, *depends]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("methods", nargs="+", choices=list(jv.METHODS), metavar="METHOD")
    parser.add_argument("--scenes", type=int, default=32, help="a quarter has pairs (%(default)s)")
    parser.add_argument(
        "--closely",
        type=int,
        default=24,
        help="for random networks, which take batches of 12 (%(default)s)",
    )
    chosen = parser.parse_args()
    print(f"{', '.join(chosen.methods)}; JAX {jax.__version__}, {jax.default_backend()}")
    questions = ask(jv.load("demo"), chosen.methods, chosen.scenes, chosen.closely)
    print(deciding(questions, verdict(questions)))


if __name__ == "__main__":
    main()

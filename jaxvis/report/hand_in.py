"""The lab's report to hand in, as plain data: title page, and a section for each of its tasks.

Tasks, their order and what they are compared with are those of the lab; `lab_texts` has all words.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxvis.demo.images import demo_images
from jaxvis.errors import InputError
from jaxvis.evaluate.maps import name_of
from jaxvis.evaluate.questions.matters import DELETED
from jaxvis.gradients.relu import RULES
from jaxvis.methods.catalogue import LAB, METHODS
from jaxvis.methods.maps import MapName
from jaxvis.models.labels import probabilities
from jaxvis.models.layers import layer_shapes, summary_table
from jaxvis.models.parameters import parameters
from jaxvis.models.preprocessing import in_words
from jaxvis.models.vgg16 import VGG16
from jaxvis.pictures import palette
from jaxvis.report import lab_code
from jaxvis.report.lab_measures import Measured, mean, measured_maps
from jaxvis.report.lab_parts import Figure, Fold, HandIn, Section, Table
from jaxvis.report.lab_words import LANGUAGES, Paragraph, Span, Words
from jaxvis.report.result import Options, Result, capitalised
from jaxvis.text import visible
from jaxvis.weights.fetch import SOURCES
from jaxvis.weights.load import DEMO

ORDER = {
    3: ("guided", "rectified"),
    5: ("vanilla", "guided", "rectified"),
}  # as the tasks name them
MODIFIERS = {"vanilla": "None", "guided": "'guided'", "rectified": "'relu'"}  # of keras-vis
MOST_NAMED = 8  # images, for whoever does not see the figure
MEASURES = ("accuracy", "completeness", "both")

Drawn = Mapping[str, Sequence[str]]


def check_options(options: Options) -> None:
    """Raise InputError, before anything is computed, for options that the hand-in cannot have."""
    if options.lab is None:
        return
    if options.lab.language not in LANGUAGES:
        raise InputError(
            f"language is {options.lab.language!r}; wanted one of {', '.join(LANGUAGES)}"
        )
    if options.figures != "png":
        raise InputError(
            f"--lab with --figures {options.figures}: the hand-in holds its figures, which are "
            "pictures; leave out one of the two"
        )
    for option, asked, wanted in (
        ("--methods", options.methods, LAB),
        ("--rules", options.rules, tuple(RULES)),
    ):
        missing = [name for name in wanted if name not in asked]
        if missing:
            raise InputError(
                f"--lab wants {' and '.join(LAB)} under {', '.join(RULES)}, and {option} leaves "
                f"out {', '.join(missing)}; leave {option} out, or name these too"
            )
    if options.preset is not None:
        raise InputError(
            f"--lab draws its maps as the lab does, and --preset {options.preset} asks for "
            "another way; leave out one of the two"
        )


def hand_in(
    result: Result, drawn: Drawn, environment: Mapping[str, Any], folder: Path
) -> HandIn:  # fmt: skip
    """Return what is to be handed in.

    Args:
        result: with the lab's methods under all three rules; its options say the language.
        drawn: names of the files of figures, by what they show.
        environment: versions and device.
        folder: where the report will be, from which its code is to run.
    """
    lab = result.options.lab
    assert lab is not None
    made = _Made(result, drawn, folder, Words(lab.language))
    student, group, teacher = (visible(one or "") for one in (lab.student, lab.group, lab.teacher))
    tasks = [
        made.task_1(), made.task_2(), made.task_3(), made.task_4(), made.task_5(), made.task_6()
    ]  # fmt: skip
    return HandIn(
        made.words, student, group, teacher, made.given(), tasks, made.how(environment)
    )  # fmt: skip


class _Made:
    """Makes the sections in their order: figures and tables are numbered as they are asked for."""

    def __init__(self, result: Result, drawn: Drawn, folder: Path, words: Words) -> None:
        self.result, self.drawn, self.folder, self.words = result, drawn, folder, words
        self.count = len(result.files)
        names = [visible(file.name) for file in result.files]
        self.names = ", ".join(names[:MOST_NAMED]) + ", ..." * (len(names) > MOST_NAMED)
        self.measured = {name: measured_maps(result.maps[name], result.masks) for name in LAB}
        self.figures = self.tables = 0
        images = words.counted(self.count, "over_images")
        self.over = "" if self.count == 1 else words.text("over", images=images)
        masks = result.masks
        self.area = None if masks is None else float(masks.mean())

    def given(self) -> list[Paragraph]:
        say, result, network = self.words.paragraph, self.result, self.result.network
        classes = {int(index) for index in result.classes}
        images = self.words.counted(self.count, "images")
        said = [say("given_network", name=network.name, network=result.options.network,
                    layer=network.layer_name)]  # fmt: skip
        if len(classes) == 1:
            index = int(result.classes[0])
            label = network.class_name(index)
            said.append(say("given_one", images=images, label=label, index=index))
        else:
            of = self.words.counted(len(classes), "classes")
            said.append(say("given_several", images=images, classes=of))
        if self.count != 4 or len(classes) > 1:
            said.append(say("differs"))
        known = {file.resolve() for file in demo_images()}
        if all(file.resolve() in known for file in result.files):
            said.append(say("demo_note"))
        if result.options.network == DEMO:
            said.append(say("demo_network"))
        elif result.options.network not in SOURCES:
            said.append(say("another_network"))
        return said

    def task_1(self) -> Section:
        result, words = self.result, self.words
        shares = probabilities(result.maps.logits, result.network.output)
        chances = [float(p[i]) for p, i in zip(shares, result.classes, strict=True)]
        tops = [row[0] for row in result.predictions]
        first = sum(top.index == i for top, i in zip(tops, result.classes, strict=True))
        low, high = (words.percent(end(chances)) for end in (min, max))
        table = self.table(
            words.paragraph("predicted"),
            [words.text(f"head_{key}")
             for key in ("image", "class", "index", "probability", "best")],
            [[visible(file.name), visible(result.network.class_name(int(index))), str(int(index)),
              words.percent(chance), f"{visible(top.name)} {words.percent(top.probability)}"]
             for file, index, chance, top in zip(
                result.files, result.classes, chances, tops, strict=True)],
        )  # fmt: skip
        if self.count == 1:
            observed = words.paragraph("observed_1_one", low=low, best=tops[0].name)
        else:
            images = words.counted(self.count, "of_images")
            observed = words.paragraph("observed_1", count=words.whole(first), images=images,
                                       low=low, high=high)  # fmt: skip
        height, width = result.network.size
        return self.section(
            1, part="part_1", about=[words.paragraph("about_1", height=height, width=width)],
            code=lab_code.load_lines(result, self.folder, words),
            figures=self.drawings(
                "inputs", words.paragraph("caption_1"), words.text("alt_1", names=self.names)
            ),
            measured=[table], observed=[observed],
        )  # fmt: skip

    def task_2(self) -> Section:
        result, words = self.result, self.words
        if len(set(result.classes.tolist())) == 1:
            index = int(result.classes[0])
            name = lab_code.class_call(result.network, index, result.options) or str(index)
            chosen = words.paragraph("filter_one", name=lab_code.literal(name), index=index)
        else:
            chosen = words.paragraph("filter_several")
        found = self.measured["saliency"]["vanilla"]
        observed = [
            words.paragraph(
                "observed_2",
                over=self.over,
                **{
                    key: words.percent(getattr(found, key)) for key in ("zero", "dark", "strongest")
                },
            ),
            self.inside(found),
        ]
        code = [*lab_code.class_lines(result, words), "", *self.maps_code(2, "saliency", "vanilla")]
        return self.section(
            2, about=[chosen, words.paragraph("logits"), words.paragraph("about_2")], code=code,
            figures=self.map_figures("saliency", ["vanilla"]), observed=observed,
        )  # fmt: skip

    def task_3(self) -> Section:
        words, rules = self.words, ORDER[3]
        found = self.measured["saliency"]
        table = self.table(
            words.paragraph("rules_caption"),
            [words.text(f"head_{key}") for key in ("modifier", "here", "passes", "known")],
            [[MODIFIERS[rule], f"jv.{rule.upper()}", words.text(f"passes_{rule}"),
              words.text(f"known_{rule}")] for rule in RULES],
        )  # fmt: skip
        measured = self.table(*self.measures("saliency", ("zero", "dark", "strongest"), ("rank",)))
        return self.section(
            3, about=[words.paragraph("about_3")], tables=[table],
            code=_apart(self.maps_code(3, "saliency", rule) for rule in rules),
            figures=self.map_figures("saliency", rules), measured=[measured],
            observed=[*self.claims(found), words.paragraph("guided_means"),
                      words.paragraph("rectified_means")],
        )  # fmt: skip

    def task_4(self) -> Section:
        result, words = self.result, self.words
        layers = {layer.name: layer.parameters for layer in layer_shapes()}
        total, most = sum(layers.values()), layers["fc1"]
        observed = [words.paragraph(
            "observed_4", total=words.counted(total, "parameters"), most=words.whole(most),
            share=words.percent(most / total),
        )]  # fmt: skip
        own = _parameters(result.network.model)
        if own is not None:
            used = words.counted(own, "parameters")
            observed.append(words.paragraph("observed_4_used", total=used))
        folds = [
            Fold(words.text("fold_full"), summary_table()),
            Fold(words.text("fold_used"), visible(result.network.summary(), keep="\n")),
        ]
        return self.section(
            4, part="part_2", code=lab_code.summary_lines(words), folds=folds, observed=observed
        )

    def task_5(self) -> Section:
        words, rules = self.words, ORDER[5]
        found = self.measured["grad_cam"]
        maps = [np.asarray(self.result.maps["grad_cam", rule]) for rule in rules]
        if all(np.array_equal(maps[0], one) for one in maps[1:]):
            observed = [words.paragraph("all_alike")]
        else:
            values = {rule: words.number(found[rule].rank) for rule in rules}
            values |= {f"{rule}_change": words.number(found[rule].change) for rule in rules}
            observed = [words.paragraph("differ", **values)]
        for rule in rules:
            if not found[rule].empty:
                continue
            if self.count == 1:
                observed.append(words.paragraph("empty_one", rule=rule))
                continue
            images = words.counted(self.count, "of_images")
            count = words.whole(found[rule].empty)
            observed.append(words.paragraph("empty", rule=rule, count=count, images=images))
        observed.append(words.paragraph("warning_guided"))
        table = self.table(*self.measures("grad_cam", ("zero",), ("rank", "change")))
        return self.section(
            5, about=[words.paragraph("about_5", layer=self.result.network.layer_name)],
            code=_apart(self.maps_code(5, "grad_cam", rule) for rule in rules),
            figures=self.map_figures("grad_cam", rules), measured=[table], observed=observed,
        )  # fmt: skip

    def task_6(self) -> Section:
        say, result = self.words.paragraph, self.result
        if result.masks is None:
            about, tables, observed = [say("unmeasurable")], *self.by_deletion()
        else:
            area = self.words.percent(self.area or 0, 0)
            about = [say("accuracy"), say("completeness"), say("both", area=area)]
            if result.options.boxes is not None:
                about.append(say("boxes_note"))
            tables = [self.six()]
            observed = [self.best(), self.lab_says()]
        observed += self.settled()
        return self.section(
            6, about=about, measured=[*tables, *self.marks()], observed=observed
        )  # fmt: skip

    def how(self, environment: Mapping[str, Any]) -> list[Paragraph]:
        say, options = self.words.paragraph, self.result.options
        versions = ", ".join(f"{name} {number}" for name, number in environment["versions"].items())
        return [
            say("made_images", resample=options.resample,
                reads=in_words(self.result.network.preprocess)),
            say("made_device", device=environment["device"]),
            say("made_versions", versions=versions),
            say("made_values"),
            say("made_figures"),
        ]  # fmt: skip

    # Parts of sections

    def section(
        self, number: int, *, part: str = "", about: Sequence[Paragraph] = (),
        tables: Sequence[Table] = (), code: Sequence[str] = (), figures: Sequence[Figure] = (),
        folds: Sequence[Fold] = (), measured: Sequence[Table] = (),
        observed: Sequence[Paragraph] = (),
    ) -> Section:  # fmt: skip
        words = self.words
        title = words.text("task", number=number, title=words.text(f"title_{number}"))
        return Section(
            f"task-{number}", words.text(part) if part else "", title,
            words.paragraph(f"task_{number}"), list(about), list(tables), "\n".join(code),
            list(figures), list(folds), list(measured), [one for one in observed if one],
        )  # fmt: skip

    def drawings(self, key: str, caption: Paragraph, alt: str) -> list[Figure]:
        made = []
        for file in self.drawn[key]:
            self.figures += 1
            made.append(Figure(file, self.words.text("figure", number=self.figures), caption, alt))
        return made

    def table(self, caption: Paragraph, head: list[str], rows: list[list[str]]) -> Table:
        self.tables += 1
        return Table(self.words.text("table", number=self.tables), caption, head, rows)

    def map_figures(self, method: str, rules: Sequence[str]) -> list[Figure]:
        options, made = self.result.options, list[Figure]()
        colours = options.colormap or palette.LAB
        alpha = f"{0.5 if options.alpha is None else options.alpha:g}"
        if self.words.language == "ru":
            alpha = alpha.replace(".", ",")
        for rule in rules:
            alt = self.words.text(
                "alt_map", title=_title(method), rule=rule, names=self.names
            )  # fmt: skip
            caption = self.words.paragraph(
                f"caption_{method}", rule=rule, colours=colours, alpha=alpha
            )
            made += self.drawings(f"{method} {rule}", caption, alt)
        return made

    def maps_code(self, task: int, method: str, rule: str) -> list[str]:
        of = f" of {self.result.network.layer_name}" if method == "grad_cam" else ""
        file = f"task_{task}.png" if task == 2 else f"task_{task}_{rule}.png"
        title = f"{_title(method)}{of}, {rule}"
        return lab_code.map_lines(self.result, method, rule, title, file)

    def measures(
        self, method: str, shares: Sequence[str], numbers: Sequence[str]
    ) -> tuple[Paragraph, list[str], list[list[str]]]:
        """A row for each rule: shares of the map, those on the object, and likeness to vanilla."""
        words, masks = self.words, self.result.masks
        head = ["rule", *shares, *(() if masks is None else ("inside",)), *numbers]
        rows = []
        for rule, one in self.measured[method].items():
            located = [] if masks is None else [words.percent(one.accuracy)]
            rows.append([
                rule, *(words.percent(getattr(one, key)) for key in shares), *located,
                *(words.number(getattr(one, key)) for key in numbers),
            ])  # fmt: skip
        caption = words.paragraph("measured_caption", over=self.over)
        return caption, [words.text(f"head_{key}") for key in head], rows

    def inside(self, found: Measured) -> Paragraph:
        if self.area is None:
            return self.words.paragraph("no_masks")
        area, inside = (self.words.percent(share) for share in (self.area, found.accuracy))
        return self.words.paragraph("observed_2_inside", area=area, inside=inside)

    def claims(self, found: Mapping[str, Measured]) -> list[Paragraph]:
        """What the lab's text says of noise, beside what was measured."""
        say, percent = self.words.paragraph, self.words.percent
        said = [say("noise_unknown")]
        if self.area is not None:
            outside = {rule: percent(1 - one.accuracy) for rule, one in found.items()}
            plain = found["vanilla"].accuracy
            less, more = found["guided"].accuracy > plain, found["rectified"].accuracy < plain
            said = [_joined(
                say("noise", **outside), say("guided_less" if less else "guided_not_less"),
                say("rectified_more" if more else "rectified_not_more"),
            )]  # fmt: skip
        darker = found["rectified"].dark > found["vanilla"].dark
        dark = {rule: percent(one.dark) for rule, one in found.items()}
        known = say("rectified_darker" if darker else "rectified_not_darker")
        return [*said, _joined(say("dark_counted", **dark), known)]

    def six(self) -> Table:
        words = self.words
        rows = [
            [_map_title(method, rule), *(words.number(getattr(one, key)) for key in MEASURES)]
            for method, rule, one in self.every()
        ]
        head = [words.text(f"head_{key}") for key in ("map", *MEASURES)]
        return self.table(words.paragraph("six_caption", over=self.over), head, rows)

    def best(self) -> Paragraph:
        """Which of the six maps is highest by each measure; several where they are equal."""
        found = {}
        for key in MEASURES:
            top = max(getattr(one, key) for _, _, one in self.every())
            names = [_map_title(method, rule) for method, rule, one in self.every()
                     if getattr(one, key) == top]  # fmt: skip
            found[key] = f"{'; '.join(names)} ({self.words.number(top)})"
        return self.words.paragraph("best", **found)

    def lab_says(self) -> Paragraph:
        """Whether guided is ahead of both other rules, as the lab concludes."""
        ahead = {}
        for method, by_rule in self.measured.items():
            others = [one for rule, one in by_rule.items() if rule != "guided"]
            ahead[method] = sum(
                all(getattr(by_rule["guided"], key) > getattr(one, key) for one in others)
                for key in MEASURES
            )
        wins = sum(ahead.values())
        all_of_them = len(MEASURES) * len(ahead)
        outcome = {0: "not_borne_out", all_of_them: "borne_out"}.get(wins, "borne_out_in_part")
        return self.words.paragraph("lab_says", **ahead, verdict=self.words.text(outcome))

    def by_deletion(self) -> tuple[list[Table], list[Paragraph]]:
        """What is left to measure without the objects' places: whether what is marked matters."""
        evaluation, words = self.result.evaluation, self.words
        asked = [] if evaluation is None else evaluation.questions
        question = next((one for one in asked if one.key == "matters"), None)
        if question is None:
            return [], []
        left = {
            _map_title(method, rule):
                mean(question.values[name_of(MapName(method, rule))][DELETED.name])
            for method, rule, _ in self.every()
        }  # fmt: skip
        random = words.percent(mean(question.values["random"][DELETED.name]))
        lowest = min(left.values())
        names = "; ".join(name for name, share in left.items() if share == lowest)
        rows = [[name, words.percent(share)] for name, share in left.items()]
        rows.append([words.text("random_map"), random])
        caption = words.paragraph("deleted_caption", over=self.over)
        table = self.table(caption, [words.text("head_map"), words.text("head_deleted")], rows)
        name = f"{names} ({words.percent(lowest)})"
        return [table], [words.paragraph("deleted_best", name=name, random=random)]

    def settled(self) -> list[Paragraph]:
        """Say so where nothing is settled, and what of the order of the maps is not tested."""
        evaluation, words = self.result.evaluation, self.words
        if evaluation is None:
            return [words.paragraph("not_evaluated")]
        found = evaluation.verdict
        comparisons = words.counted(len(found.comparisons), "comparisons")
        if self.count < found.fewest_images:
            return [words.paragraph(
                "nothing_settled", images=words.on_images(self.count), comparisons=comparisons,
                fewest=words.counted(found.fewest_images, "of_images"),
            )]  # fmt: skip
        return [words.paragraph("not_compared")]

    def marks(self) -> list[Table]:
        """Which map passes which question, where there are images enough to settle any."""
        evaluation, words = self.result.evaluation, self.words
        if evaluation is None or self.count < evaluation.verdict.fewest_images:
            return []
        found, keys = evaluation.verdict, [question.key for question in evaluation.questions]
        rows = [
            [
                _map_title(method, rule),
                *(
                    words.text(f"mark_{found.marks[name_of(MapName(method, rule))][key]}")
                    for key in keys
                ),
            ]
            for method, rule, _ in self.every()
        ]
        comparisons = words.counted(len(found.comparisons), "comparisons")
        caption = words.paragraph("settled_caption", comparisons=comparisons)
        head = [words.text(f"head_{key}") for key in ("map", *keys)]
        return [self.table(caption, head, rows)]

    def every(self) -> list[tuple[str, str, Measured]]:
        return [
            (method, rule, one)
            for method, by_rule in self.measured.items()
            for rule, one in by_rule.items()
        ]


def _title(method: str) -> str:
    return capitalised(METHODS[method].title)


def _map_title(method: str, rule: str) -> str:
    return f"{_title(method)}, {rule}"


def _joined(*parts: Paragraph) -> Paragraph:
    """One paragraph of several sentences."""
    first, *others = parts
    return first + tuple(span for part in others for span in (Span(" "), *part))


def _apart(parts: Any) -> list[str]:
    """Lines of several figures, an empty one between them."""
    lines = [line for part in parts for line in (*part, "")]
    return lines[:-1]


def _parameters(model: Any) -> int | None:
    """The number of parameters; None of a function that closes over its weights."""
    if isinstance(model, VGG16):
        return sum(layer.parameters for layer in layer_shapes(model.architecture))
    try:
        return sum(one.array.size for one in parameters(model))
    except InputError:
        return None

"""The pages of the API: every name that a user may type, by the room it lives in.

The names come from `jaxvis/__init__.pyi`, their texts from the docstrings, which are plain text
with `code` in it and Google's headings; what they need to become a page is done here, not there.
"""

import ast
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

ROOMS = {
    "gradients": ("Gradients", "The idea: a ReLU whose way back is a choice."),
    "methods": ("Methods", "How an image is explained, one method a file. "
                "[The table of methods](../tutorials/methods.md) compares them."),
    "scores": ("Scores", "What is explained in the place of one class's logit."),
    "models": ("Models", "What is explained: networks, and how one is described."),
    "any_model": ("Any model", "The same for a function whose code is not ours."),
    "weights": ("Weights", "Files of weights, read and written."),
    "pictures": ("Pictures", "Image files in, figures and colours out."),
    "demo": ("Demo", "Scenes of which every pixel's owner is known."),
    "streaming": ("Many images", "More images than memory, devices or hosts hold."),
    "evaluate": ("Evaluate", "Which map tells the truth: metrics, exact tests, a verdict."),
    "report": ("Report", "A page to explore maps on."),
    "course": ("Course", "The checks of the lessons' exercises."),
    "errors": ("Errors and the rest", "What goes wrong has a class of its own."),
}  # fmt: skip
ELSEWHERE = {"version": "errors", "types": "errors", "folders": "errors", "text": "errors"}

# What has no docstring of its own, since it is data.
DATA = {
    "VANILLA": "The rule of the true gradient: a ReLU passes g where its input was positive "
    "(Simonyan et al., arXiv 1312.6034).",
    "RECTIFIED": "The deconvnet's rule: a ReLU passes g where g is positive (Zeiler & Fergus, "
    "arXiv 1311.2901). keras-vis called it `'relu'`.",
    "GUIDED": "The rule of guided backpropagation: a ReLU passes g where its input was positive "
    "and g is too (Springenberg et al., arXiv 1412.6806).",
    "RULES": "The three rules by name: `{names}`.",
    "METHODS": "All methods by name, each a `Method`: {names}.",
    "PRESETS": "How other libraries show a map, by name, for `present`: {names}.",
    "LAYERS": "The layers of VGG16 in their order, as Keras calls them, each with its kind and its "
    "number of channels or units.",
    "__version__": "The version of jaxvis, as text.",
    "evaluate.CLOSELY": "On how many images `evaluate` asks what takes hundreds of passes an "
    "image, unless it is told otherwise.",
    "evaluate.CASCADE": "The layers of VGG16 from the last one down, as `cascading` re-initialises "
    "them.",
}
MODULES = ("course", "demo", "evaluate", "scores")


def public_names() -> dict[str, str]:
    """Return from every public name to its room, as the stub has them."""
    stub = ast.parse((ROOT / "jaxvis" / "__init__.pyi").read_text(encoding="utf-8"))
    found = {}
    for node in stub.body:
        if isinstance(node, ast.ImportFrom):
            for name in node.names:
                room = (node.module or name.name).partition(".")[0]
                found[name.asname or name.name] = ELSEWHERE.get(room, room)
    return found


def members(module: ModuleType) -> list[str]:
    """Return the public names of a module that is itself public, in alphabetical order."""
    if module.__name__ == "jaxvis.scores":
        names = [
            node.name
            for node in ast.parse(inspect.getsource(module)).body
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        ]
    else:
        names = [
            name.asname
            for node in ast.parse(inspect.getsource(module)).body
            if isinstance(node, ast.ImportFrom)
            for name in node.names
            if name.asname == name.name
        ]
    return sorted(names, key=lambda name: (name.lower(), name))


def directive(name: str, value: Any) -> list[str]:
    """Return the lines that document one name, `saliency` or `evaluate.deletion`."""
    if isinstance(value, type) and not isinstance(value, ModuleType):
        kind, options = "autoclass", []
        if issubclass(value, tuple | Exception) or _is_data(value):
            options = [":no-members:"]
        elif name == "VGG16":
            options = [":members: cut, class_index, summary"]
        else:
            options = [":members:", ":exclude-members: tree_flatten_with_keys, tree_unflatten"]
    elif name in DATA:
        kind, options = "autodata", [":no-value:"]
    else:
        kind, options = "autofunction", []
    return [f".. {kind}:: jv.{name}", *(f"   {option}" for option in options), ""]


def _is_data(value: type) -> bool:
    return hasattr(value, "__dataclass_fields__")


def documented() -> dict[str, list[str]]:
    """Return from every room to the names on its page; a module's own come as "module.name"."""
    import jaxvis as jv

    rooms: dict[str, list[str]] = {room: [] for room in ROOMS}
    for name, room in public_names().items():
        rooms[room].append(name)
    for module in MODULES:
        if module != "demo":
            rooms[module] += [f"{module}.{name}" for name in members(getattr(jv, module))]
    return rooms


def anchors() -> dict[str, str]:
    """Return from every public name to the page and anchor where the finished site has it."""
    return {
        name: f"api/{room}.html#jv{'-' if isinstance(value_of(name), ModuleType) else '.'}{name}"
        for room, names in documented().items()
        for name in names
    }


def value_of(name: str) -> Any:
    import jaxvis as jv

    value: Any = jv
    for part in name.split("."):
        value = getattr(value, part)
    return value


def pages() -> dict[str, str]:
    """Return the text of every page by its file's name."""
    made, rows = {}, []
    for room, names in documented().items():
        title, about = ROOMS[room]
        lines = [f"# {title}", "", about, ""]
        for name in sorted(names, key=lambda name: (name.lower(), name)):
            value = value_of(name)
            if isinstance(value, ModuleType):
                text = ["The module `jv." + name + "`. " + _first_line(value), ""]
                lines += [f"(jv-{name})=", *text]
                continue
            lines += ["```{eval-rst}", *directive(name, value), "```", ""]
        made[f"{room}.md"] = "\n".join(lines)
        shown = ", ".join(
            f"[`{name}`](#jv-{name})" if isinstance(value_of(name), ModuleType)
            else f"{{py:obj}}`{name} <jv.{name}>`"
            for name in sorted(names, key=str.lower) if "." not in name
        )  # fmt: skip
        rows.append(f"| [{title}]({room}.md) | {about} | {shown} |")
    made["index.md"] = INDEX.format(
        rows="\n".join(rows), rooms="\n".join(ROOMS), count=len(public_names())
    )
    return made


INDEX = """# API

`import jaxvis as jv`, and these {count} names are all there is. They are looked up when they are
first used, so that the import is quick. Maps are raw values unless a name says that it draws.

| room | what for | names |
|---|---|---|
{rows}

Shapes are written as in the source: `Float[n height width]` are floating-point numbers, an axis
each for images, rows and columns; a `*` before a name stands for any number of axes.

```{{toctree}}
:hidden:

{rooms}
```
"""


def _first_line(value: Any) -> str:
    return (inspect.getdoc(value) or "").partition("\n")[0]


# ---- what Sphinx asks while it reads docstrings

SHAPE = re.compile(r"(?:jaxtyping\.)?(\w+)\[(?:[^\[\]']*), '([^']*)'\]")
WORDS = re.compile(r"(`+)(.+?)\1", re.DOTALL)


def plain(text: str, known: set[str]) -> str:
    """Return a line of a docstring as reStructuredText: `code` stays code, the rest is text."""
    parts, place = [], 0
    for match in WORDS.finditer(text):
        parts.append(_escaped(text[place : match.start()]))
        word = match[2].removeprefix("jv.").removesuffix("()")
        if word in known:
            parts.append(f":py:obj:`{match[2]} <jv.{word}>`")
        else:
            parts.append(f"``{match[2]}``")
        after = text[match.end() : match.end() + 1]
        if after and (after.isalnum() or after in "_("):  # `Partial`s: markup must end at a word
            parts.append("\\")
        place = match.end()
    return "".join([*parts, _escaped(text[place:])])


def _escaped(text: str) -> str:
    text = re.sub(r"([\\*|])", r"\\\1", text)
    text = re.sub(r"_(?=\W|$)", r"\\_", text)
    return re.sub(r"\barXiv (\d{4}\.\d{4,5})", r"`arXiv \1 <https://arxiv.org/abs/\1>`__", text)


def shapes(value: Any) -> list[tuple[str, str]]:
    """Return (argument, shape) of all arguments whose annotation has one, then of "returns"."""
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return []
    found = []
    asked = [(name, parameter.annotation) for name, parameter in signature.parameters.items()]
    for name, annotation in [*asked, ("returns", signature.return_annotation)]:
        text = annotation if isinstance(annotation, str) else str(annotation)
        if name == "returns" or "Callable" not in text:
            unique = dict.fromkeys(f"{kind}[{shape}]" for kind, shape in SHAPE.findall(text))
            if unique:
                found.append((name, " or ".join(unique)))
    return found


def signature(value: Any) -> str | None:
    """Return names and defaults, which fit on a line; shapes are listed below."""
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return None
    parameters = []
    for parameter in found.parameters.values():
        default = parameter.default
        if default is not inspect.Parameter.empty:
            default = Shown(default)
        parameters.append(parameter.replace(annotation=inspect.Parameter.empty, default=default))
    return str(found.replace(parameters=parameters, return_annotation=inspect.Signature.empty))


class Shown:
    """A default value as a reader would write it."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        import jaxvis as jv

        for name in ("VANILLA", "RECTIFIED", "GUIDED"):
            if self.value is getattr(jv, name):
                return f"jv.{name}"
        if callable(self.value):
            name = getattr(self.value, "__name__", "...")
            return "..." if name == "<lambda>" else name
        text = repr(self.value)
        return "..." if len(text) > 40 or " at 0x" in text else text


def on_docstring(
    app: Any, what: str, full: str, value: Any, options: Any, lines: list[str]
) -> None:
    """Turn a docstring's lines into reStructuredText, in place; add shapes and a method's paper."""
    import jaxvis as jv

    name = full.removeprefix("jv.")
    known = app.env.jaxvis_names
    if name in DATA:
        names = ", ".join(f"`{one}`" for one in value) if hasattr(value, "__iter__") else ""
        if name == "RULES":
            names = ", ".join(value)
        lines[:] = [DATA[name].format(names=names)]
    lines[:] = [plain(line, known) for line in "\n".join(lines).split("\n")]
    lines[:] = "\n".join(lines).split("\n")
    if found := shapes(value):
        lines += ["", ".. rubric:: Shapes", ""]
        lines += [f"- {plain(argument, set())}: ``{shape}``" for argument, shape in found]
    if name in jv.METHODS:
        row = jv.METHODS[name]
        lines += ["", ".. rubric:: Paper", "", plain(f"{row.paper}.", known)]
    lines.append("")


def on_signature(app: Any, what: str, full: str, value: Any, *_: Any) -> tuple[str, str] | None:
    if what not in ("function", "class", "method"):
        return None
    if full == "jv.VGG16":
        value = value.__init__
        text = signature(value)
        return (text.replace("(self, ", "("), "") if text else None
    text = signature(value)
    return (text.replace("(self, ", "(").replace("(self)", "()"), "") if text is not None else None


def setup(app: Any) -> dict[str, bool]:
    """Make `jv` a module for autodoc, and tell it how docstrings are written."""
    import sys

    import jaxvis as jv

    for name in ("", *MODULES):
        sys.modules[f"jv.{name}" if name else "jv"] = getattr(jv, name) if name else jv
    names = {name for room in documented().values() for name in room
             if not isinstance(value_of(name), ModuleType)}  # fmt: skip
    names -= {"relu", "demo", "evaluate", "scores"}  # words that mean an argument as often
    app.connect("builder-inited", lambda app: setattr(app.env, "jaxvis_names", names))
    # Before napoleon, which then reads Google's headings.
    app.connect("autodoc-process-docstring", on_docstring, priority=400)
    app.connect("autodoc-process-signature", on_signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

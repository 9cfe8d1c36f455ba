"""The report as a page that one explores, which asks nobody for anything.

The page holds pictures and maps as data, and colours the maps itself (`page_files/`). A map at the
input is kept as 256 steps between its lowest and its highest value, as a grey PNG; one of a layer,
which is small, as float32. maps.npz beside the page has all values as they are.

Up to `MOST` images everything is in one file. Of more, each image has a file of its own in a folder
beside the page, which is loaded when the image is first looked at. Such a file is a script that
calls `jaxvisImage` with the image's number and data: a page that is opened from a disk may load no
other kind.
"""

import base64
import io
import json
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from jaxvis.evaluate.maps import name_of
from jaxvis.methods.catalogue import METHODS
from jaxvis.methods.maps import MapName
from jaxvis.methods.method import ANY
from jaxvis.pictures import palette, render
from jaxvis.pictures.checks import finite_maps
from jaxvis.report import what_if
from jaxvis.report.relus import Seen
from jaxvis.report.result import capitalised
from jaxvis.report.shown import Shown, ShownMap
from jaxvis.text import visible
from jaxvis.types import AnyArray

STEPS = 255  # of a map at the input, from its lowest to its highest value
JPEG_QUALITY = 90
THUMBNAIL, THUMBNAIL_QUALITY = 96, 70  # pixels of the longer side: 2 to 4 kB each
MOST = 12  # images in one file: with six maps each up to 3 MB
PAGE, FOLDER = "report.html", "report_files"
SCRIPTS = (
    "values.js",
    "drawing.js",
    "what_if.js",
    "microscope.js",
    "page.js",
)  # one after another: one script
COLOURS = {  # which a reader may choose, by Matplotlib's name
    palette.EVEN: "even",
    palette.LAB: "the lab's (jet)",
    palette.DIVERGING: "of both signs",
    "gray": "grey",
}


def names_of_page(count: int) -> set[str]:
    """Return what `write_page` makes in its folder for so many images."""
    return {PAGE, FOLDER} if count > MOST else {PAGE}


def write_page(shown: Shown, folder: Path) -> None:
    """Write report.html, and of more than `MOST` images report_files/0001.js and so on."""
    inside = len(shown.names) <= MOST
    (folder / PAGE).write_text(page_html(shown, inside=inside), encoding="utf-8")
    if not inside:
        (folder / FOLDER).mkdir()
        for number, image in enumerate(image_data(shown)):
            text = f"jaxvisImage({number}, {_script_safe(image)});\n"
            (folder / image_file(number)).write_text(text, encoding="utf-8")


def image_file(number: int) -> str:
    """Return where the data of an image are, seen from the page; `number` counts from 0."""
    return f"{FOLDER}/{number + 1:04d}.js"


def page_html(shown: Shown, *, inside: bool = True) -> str:
    """Return the page, a whole HTML document, with the images' data inside or in their files."""
    import jinja2  # when a page is wanted: half of the commands write none

    assets = files("jaxvis.report") / "page_files"
    template = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string((assets / "page.html").read_text("utf-8"))
    return template.render(
        title="What the network looks at",
        style=(assets / "page.css").read_text("utf-8"),
        script="\n".join((assets / name).read_text("utf-8") for name in SCRIPTS),
        brief=shown.brief, colours=_colours(shown),
        data=_script_safe(page_data(shown, inside=inside)),
    )  # fmt: skip


def page_data(shown: Shown, *, inside: bool = True) -> dict[str, Any]:
    """Return what the page itself holds, as JSON can hold it.

    `maps` has what is the same for all images: `{method, rule, title, about, layer, colours, low,
    high}`: whether they are of a layer, the colours they are drawn in unless others are chosen, and
    the lowest and highest value of all. `index` has for each image `{file, class, thumbnail,
    source}`, and `images` what `image_data` yields, or is None: then `source` is the file that has
    it. `what_if` has the shares of the pixels at which probabilities are known, and the colour in
    the place of those that are gone; or it is None.
    """
    gone = shown.what_if
    return {
        "network": visible(shown.network),
        "layer": visible(shown.layer),
        "size": list(shown.pictures.shape[1:3]),
        "index": [
            {
                "file": visible(name), "class": visible(class_name),
                "thumbnail": _thumbnail(picture), "source": None if inside else image_file(number),
            }
            for number, (name, class_name, picture) in enumerate(
                zip(shown.names, shown.classes, shown.pictures, strict=True)
            )
        ],
        "maps": [_of_all(row, _further_maps(shown, place)) for place, row in enumerate(shown.maps)],
        "images": list(image_data(shown)) if inside else None,
        "colours": {name: _bytes(_lookup(name)) for name in _colours(shown)},
        "diverging": palette.DIVERGING,
        "what_if": gone and {"shares": gone.shares.tolist(), "colour": gone.colour.tolist()},
    }  # fmt: skip


def image_data(shown: Shown) -> Iterator[dict[str, Any]]:
    """Yield what belongs to each image, as JSON can hold it: `{file, class, picture, truth, top,
    maps, others, what_if, microscope}`.

    `maps` has an entry for each of the page's maps: `{png, low, high}`, a value v of the PNG
    standing for low + v / 255 (high - low), or `{floats, height, width, low, high}`, little-endian
    float32 row by row, in base64. `others` are further classes: `{class, maps}`. The last two, or
    None, belong to `class`: `{maps, controls}`, curves in the order of the maps and by name; and by
    rule a list of ReLUs (`_at_relu`).
    """
    further = shown.further or [()] * len(shown.names)
    for number, name in enumerate(shown.names):
        truth = None if shown.masks is None else _png((255 * shown.masks[number]).astype(np.uint8))
        yield {
            "file": visible(name),
            "class": visible(shown.classes[number]),
            "picture": _jpeg(shown.pictures[number], JPEG_QUALITY),
            "truth": truth,
            "top": [
                {"name": visible(one.name), "share": round(float(one.probability), 4)}
                for one in shown.predictions[number]
            ],
            "maps": [_of_one(row.method, row.maps[number]) for row in shown.maps],
            "others": [
                {
                    "class": visible(one.name),
                    "maps": [
                        _of_one(row.method, values)
                        for row, values in zip(shown.maps, one.maps, strict=True)
                    ],
                }
                for one in further[number]
            ],
            "what_if": _curves(shown, number),
            "microscope": None if shown.relus is None else {
                rule: [_at_relu(one) for one in rows]
                for rule, rows in shown.relus[number].items()
            },
        }  # fmt: skip


def _colours(shown: Shown) -> dict[str, str]:
    """Return what the colours are called, those that the report was asked for among them."""
    asked = shown.colormap
    return COLOURS if asked is None or asked in COLOURS else {asked: asked, **COLOURS}


def _further_maps(shown: Shown, place: int) -> list[AnyArray]:
    """Return the maps of all further classes in one row of the page."""
    return [one.maps[place] for classes in shown.further or () for one in classes]


def _curves(shown: Shown, number: int) -> dict[str, Any] | None:
    """Return the curves of an image: of its maps in their order, and of the controls by name."""
    if shown.what_if is None:
        return None
    curves = what_if.data(shown.what_if, number)
    maps = [name_of(MapName(row.method, row.rule)) for row in shown.maps]
    return {
        "maps": [curves[name] for name in maps],
        "controls": {name: curve for name, curve in curves.items() if name not in maps},
    }


def _at_relu(seen: Seen) -> dict[str, Any]:
    """Return what is seen at a ReLU: its name and shape, shares by energy and by count (of
    `Shares`), and channels."""
    return {
        "name": visible(seen.name),
        "shape": seen.shape,
        "energy": [round(share, 5) for share in seen.by_energy],
        "count": [round(share, 5) for share in seen.by_count],
        "channels": [
            {
                "number": one.number,
                "arrives": _signed(one.arrives, np.abs(one.arrives).max()),
                "passed": _signed(one.passed, np.abs(one.arrives).max()),
            }
            for one in seen.channels
        ],
    }


def _signed(values: Float[np.ndarray, "h w"], limit: float) -> dict[str, Any]:
    """Return values from -limit to limit in 255 steps, int8 row by row, in base64."""
    steps = np.rint(127 * values / limit) if limit > 0 else 0 * values
    height, width = values.shape
    return {"values": _bytes(steps.astype(np.int8)), "height": height, "width": width}


def _of_all(row: ShownMap, further: Sequence[AnyArray]) -> dict[str, Any]:
    method = METHODS[row.method]
    every = (row.maps, *further)
    return {
        "method": row.method,
        "rule": row.rule,
        "title": capitalised(method.title) + ("" if row.rule == ANY else f", {row.rule}"),
        "about": method.about,
        "layer": method.at == "layer",
        "colours": row.colours,
        "low": min(float(np.min(maps)) for maps in every),
        "high": max(float(np.max(maps)) for maps in every),
    }


def _of_one(method: str, maps: AnyArray) -> dict[str, Any]:
    values = finite_maps(maps)
    return _floats(values) if METHODS[method].at == "layer" else _steps(values)


def _steps(values: Float[np.ndarray, "height width"]) -> dict[str, Any]:
    low, high = float(values.min()), float(values.max())
    shares = render.normalize(values)
    return {"png": _png(np.rint(STEPS * shares).astype(np.uint8)), "low": low, "high": high}


def _floats(values: Float[np.ndarray, "h w"]) -> dict[str, Any]:
    height, width = values.shape
    return {
        "floats": _bytes(values.astype("<f4")), "height": height, "width": width,
        "low": float(values.min()), "high": float(values.max()),
    }  # fmt: skip


def _lookup(name: str) -> UInt8[np.ndarray, "256 3"]:
    shares = np.linspace(0, 1, 256)
    return np.rint(255 * render.colormap_named(name)(shares)[:, :3]).astype(np.uint8)


def _bytes(array: AnyArray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def _thumbnail(picture: UInt8[np.ndarray, "height width 3"]) -> str:
    from PIL import Image

    small = Image.fromarray(picture)
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return _jpeg(np.asarray(small), THUMBNAIL_QUALITY)


def _png(grey: UInt8[np.ndarray, "height width"]) -> str:
    return _image(grey, "PNG", compress_level=4)


def _jpeg(picture: UInt8[np.ndarray, "height width 3"], quality: int) -> str:
    return _image(picture, "JPEG", quality=quality)


def _image(array: UInt8[np.ndarray, "height width *channels"], kind: str, **options: Any) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **options)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{text}"


def _script_safe(data: dict[str, Any]) -> str:
    """Return JSON that no name of a file can end a script with."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    escaped: Sequence[tuple[str, str]] = (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"))
    for character, written in escaped:
        text = text.replace(character, written)
    return text

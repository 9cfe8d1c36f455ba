"""The report as a page that one explores: one file of HTML, which asks nobody for anything.

The page holds pictures and maps as data, and colours the maps itself (`page_files/page.js`). A map
at the input is kept as 256 steps between its lowest and its highest value, as a grey PNG; one of a
layer, which is small, as float32. maps.npz beside the page has all values as they are.
"""

import base64
import io
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from jaxvis.evaluate.readable import in_brief
from jaxvis.methods.catalogue import METHODS
from jaxvis.methods.method import ANY
from jaxvis.pictures import palette, render
from jaxvis.pictures.checks import finite_maps
from jaxvis.report.result import Result, capitalised
from jaxvis.text import visible
from jaxvis.types import AnyArray

STEPS = 255  # of a map at the input, from its lowest to its highest value
JPEG_QUALITY = 90
MOST = 12  # images on a page: with six maps each up to 3 MB
COLOURS = {  # which a reader may choose, by Matplotlib's name
    palette.EVEN: "even",
    palette.LAB: "the lab's (jet)",
    palette.DIVERGING: "of both signs",
    "gray": "grey",
}


def pages_html(result: Result) -> dict[str, str]:
    """Return the pages of a report, whole HTML documents, by the names of their files.

    There is one, report.html, for `MOST` images; further images have pages of their own, which link
    to each other. The first one ends with the conclusion.
    """
    import jinja2  # when a page is wanted: half of the commands write none

    assets = files("jaxvis.report") / "page_files"
    template = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string((assets / "page.html").read_text("utf-8"))
    style, script = ((assets / f"page.{kind}").read_text("utf-8") for kind in ("css", "js"))
    starts = range(0, len(result.files), MOST)
    colormaps = result.colormaps()
    names = ["report.html", *(f"report_{number}.html" for number in range(2, len(starts) + 1))]
    return {
        name: template.render(
            title="What the network looks at", style=style, script=script,
            colours=_colours(result),
            data=_script_safe(_data(result, slice(start, start + MOST), colormaps)),
            pages=names if names[1:] else [], here=name,
            brief=in_brief(result.evaluation, result.options.network)
            if result.evaluation and not start else None,
        )
        for name, start in zip(names, starts, strict=True)
    }  # fmt: skip


def page_data(result: Result) -> dict[str, Any]:
    """Return what a page shows of all images, as JSON can hold it.

    Maps are a list of `{method, rule, title, about, layer, colours, of}`: whether they are of a
    layer, the colours they are drawn in unless others are chosen, and in `of` one entry an image:
    `{png, low, high}`, a value v of the PNG standing for low + v / 255 (high - low), or
    `{floats, height, width, low, high}`, little-endian float32 row by row, in base64.
    """
    return _data(result, slice(None), result.colormaps())


def _data(result: Result, which: slice, colormaps: Sequence[str]) -> dict[str, Any]:
    network = result.network
    masks = [None] * len(result.files) if result.masks is None else list(result.masks)
    return {
        "network": visible(network.name),
        "layer": visible(network.layer_name),
        "size": list(result.images.shape[1:3]),
        "images": [
            {
                "file": visible(file.name),
                "class": visible(network.class_name(int(index))),
                "picture": _jpeg(picture),
                "truth": None if mask is None else _png((255 * mask).astype(np.uint8)),
                "top": [
                    {"name": visible(one.name), "share": round(float(one.probability), 4)}
                    for one in top
                ],
            }
            for file, index, picture, mask, top in zip(
                result.files[which], result.classes[which], result.images[which], masks[which],
                result.predictions[which], strict=True,
            )
        ],
        "maps": [
            _one_map(method, rule, maps[which], colormap)
            for ((method, rule), maps), colormap in zip(
                result.maps.items(), colormaps, strict=True
            )
        ],
        "colours": {name: _bytes(_lookup(name)) for name in _colours(result)},
    }  # fmt: skip


def _colours(result: Result) -> dict[str, str]:
    """Return what the colours are called, those that the report was asked for among them."""
    asked = result.options.colormap
    return COLOURS if asked is None or asked in COLOURS else {asked: asked, **COLOURS}


def _one_map(name: str, rule: str, maps: AnyArray, colormap: str) -> dict[str, Any]:
    method = METHODS[name]
    of_layer = method.at == "layer"
    return {
        "method": name,
        "rule": rule,
        "title": capitalised(method.title) + ("" if rule == ANY else f", {rule}"),
        "about": method.about,
        "layer": of_layer,
        "colours": colormap,
        "of": [_floats(one) if of_layer else _steps(one) for one in finite_maps(maps)],
    }  # fmt: skip


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


def _png(grey: UInt8[np.ndarray, "height width"]) -> str:
    return _image(grey, "PNG")


def _jpeg(picture: UInt8[np.ndarray, "height width 3"]) -> str:
    return _image(picture, "JPEG", quality=JPEG_QUALITY)


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

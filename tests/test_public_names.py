"""What people type: every public name and how it is called. A change here is a change for users."""

import inspect
import types

import pytest

import jaxvis as jv

PLAIN = "no function"
SIGNATURES = {
    "demo": "module",
    "evaluate": "module",
    "GUIDED": PLAIN,
    "ImageError": "exception",
    "LAYERS": PLAIN,
    "Maps": "(logits, saliency, grad_cam)",
    "RECTIFIED": PLAIN,
    "RULES": PLAIN,
    "Rule": "(gate_input, gate_gradient)",
    "VANILLA": PLAIN,
    "VGG16": "(*args, **kwargs)",
    "WeightsError": "exception",
    "compile_explain": "(model, x, classes=?, *, layer=?, rules=?, score=?)",
    "count_relus": "(f, *args, forms=?, **kwargs)",
    "cut_at": "(f, where, *, forms=?, channel_axis=?)",
    "demo_images": "()",
    "deprocess": "(x)",
    "explain": "(model, x, classes=?, *, layer=?, rules=?, score=?, signed=?)",
    "explain_batches": "(model, x, classes=?, *, layer=?, rules=?, score=?, batch_size=?, memory=?, "
    "progress=?)",
    "expose_relu": "(f, *, forms=?)",
    "figure_comparison": "(images, titles, *, saliency=?, grad_cam=?, title=?, "
    "alpha=?, colormap=?)",
    "figure_grad_cam": "(images, cams, titles, *, title, alpha=?, colormap=?)",
    "figure_images": "(images, titles=?, *, title=?)",
    "figure_saliency": "(images, maps, titles, *, title, colormap=?)",
    "find_images": "(source)",
    "grad_cam": "(model, x, classes=?, *, layer=?, rule=?, score=?)",
    "guided_relu": "(x)",
    "heat_map": "(maps, *, colormap=?)",
    "input_gradient": "(model, x, classes=?, *, rule=?, score=?)",
    "load_images": "(source, size=?, *, resample=?)",
    "load_vgg16": "(weights=?, *, labels=?, top=?, precision=?, param_dtype=?)",
    "normalize": "(maps)",
    "overlay": "(images, maps, *, alpha=?, colormap=?)",
    "preprocess": "(images)",
    "rectified_relu": "(x)",
    "relu": "(x, rule)",
    "saliency": "(model, x, classes=?, *, rule=?, score=?)",
    "save_vgg16": "(model, path, *, dtype=?, facts=?)",
    "scene": "(seed, name)",
    "top_k": "(logits, k=?, *, labels=?)",
    "two_objects": "(seed, first, second)",
    "upsample": "(maps, size)",
    "use_compile_cache": "(folder=?)",
    "vanilla_relu": "(x)",
}


def shape_of(name: str, thing: object) -> str:
    """A signature without types: `(model, x, classes=?, *, layer=?)`; of a module, "module"."""
    if isinstance(thing, types.ModuleType):
        return "module"
    if not callable(thing):
        return PLAIN
    if isinstance(thing, type) and issubclass(thing, BaseException):
        return "exception"
    parameters = []
    for parameter in inspect.signature(thing).parameters.values():
        text = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(parameter.kind.name, "")
        default = "" if parameter.default is inspect.Parameter.empty else "=?"
        if parameter.kind.name == "KEYWORD_ONLY" and not any("*" in p for p in parameters):
            parameters.append("*")
        parameters.append(f"{text}{parameter.name}{default}")
    return f"({', '.join(parameters)})"


@pytest.mark.parametrize("name", SIGNATURES)
def test_it_is_called_as_before(name):
    assert shape_of(name, getattr(jv, name)) == SIGNATURES[name]


def test_there_are_no_others():
    assert sorted(name for name in dir(jv) if not name.startswith("_")) == sorted(SIGNATURES)

"""What people type: every public name and how it is called. A change here is a change for users."""

import inspect
import types

import pytest

import jaxvis as jv
from jaxvis.methods.options import Options

PLAIN = "no function"
SIGNATURES = {
    "course": "module",
    "demo": "module",
    "evaluate": "module",
    "CutPoint": "(number, name, shape, all_paths)",
    "CutPoints": "(points, last)",
    "FullGradients": "(logits, pixels, biases)",
    "GUIDED": PLAIN,
    "ImageError": "exception",
    "InputError": "exception",
    "LAYERS": PLAIN,
    "METHODS": PLAIN,
    "Maps": "(logits, maps)",
    "Method": "(name, title, function, shown, kind, at, signed, rules, forward, backward, paper, "
    "about, of_both=?, of_chain=?)",
    "Network": "(model, size, preprocess, labels, layer, name, output=?, resample=?)",
    "AtRelu": "(arrives, passed, on)",
    "show": "(maps, images, *, network=?, classes=?, names=?, masks=?)",
    "microscope": "(model, x, classes=?, *, rule=?, score=?)",
    "Process": "(number=?, of=?, connected=?)",
    "StoredMaps": "(path, store)",
    "Pass": "(x, input_gradient, activation, activation_gradient, plain_gradient=?)",
    "PRESETS": PLAIN,
    "RECTIFIED": PLAIN,
    "RULES": PLAIN,
    "Rule": "(gate_input, gate_gradient)",
    "VANILLA": PLAIN,
    "VGG16": "(*args, **kwargs)",
    "WeightsError": "exception",
    "ablation_cam": "(model, x, classes=?, *, layer=?, score=?, batch_size=?, grid=?, "
    "channel_axis=?)",
    "eigen_cam": "(model, x, *, layer=?, grid=?, channel_axis=?)",
    "expected_gradients": "(model, x, baselines, classes=?, *, samples=?, rule=?, score=?, key=?, "
    "batch_size=?, channel_axis=?)",
    "grad_cam_plus_plus": "(model, x, classes=?, *, normalized=?, epsilon=?, **options)",
    "guided_grad_cam": "(model, x, classes=?, **options)",
    "hires_cam": "(model, x, classes=?, **options)",
    "input_x_gradient": "(model, x, classes=?, *, rule=?, score=?, channel_axis=?)",
    "integrated_gradients": "(model, x, classes=?, *, baseline=?, steps=?, rule=?, score=?, key=?, "
    "batch_size=?, channel_axis=?)",
    "layer_cam": "(model, x, classes=?, **options)",
    "occlusion": "(model, x, classes=?, *, window=?, stride=?, fill=?, score=?, batch_size=?, "
    "channel_axis=?)",
    "present": "(values, preset=?, *, images=?, size=?, colormap=?, alpha=?)",
    "rise": "(model, x, classes=?, *, masks=?, cells=?, kept=?, score=?, key=?, "
    "batch_size=?, channel_axis=?)",
    "score_cam": "(model, x, classes=?, *, layer=?, channels=?, union=?, weights=?, score=?, "
    "batch_size=?, grid=?, channel_axis=?)",
    "scores": "module",
    "smooth_grad_cam": "(model, x, classes=?, *, samples=?, noise=?, key=?, batch_size=?, "
    "**options)",
    "smoothgrad": "(model, x, classes=?, *, rule=?, score=?, samples=?, noise=?, mean=?, key=?, "
    "batch_size=?, channel_axis=?)",
    "xgrad_cam": "(model, x, classes=?, **options)",
    "compile_explain": "(model, x, classes=?, **options)",
    "count_relus": "(f, *args, forms=?, **kwargs)",
    "cut_at": "(f, where, *, forms=?, channel_axis=?)",
    "cut_points": "(f, *args, **kwargs)",
    "demo_images": "()",
    "deprocess": "(x)",
    "describe": "(model, *, size=?, preprocess=?, labels=?, layer=?, name=?, output=?, resample=?)",
    "explain": "(model, x, classes=?, **options)",
    "explain_batches": "(model, x, classes=?, *, batch_size=?, memory=?, progress=?, **options)",
    "expose_relu": "(f, *, forms=?)",
    "figure_comparison": "(images, titles, rows, *, title=?, alpha=?, colormap=?, preset=?, "
    "axes=?)",
    "figure_grad_cam": "(images, cams, titles, *, title, alpha=?, colormap=?, signed=?, preset=?, "
    "axes=?)",
    "figure_images": "(images, titles=?, *, title=?, axes=?)",
    "figure_saliency": "(images, maps, titles, *, title, colormap=?, signed=?, preset=?, axes=?)",
    "find_images": "(source)",
    "from_equinox": "(model, state=?, *, preprocess, size, labels=?, layer=?, forms=?, name=?, "
    "channels_first=?)",
    "from_keras": "(model, *, preprocess, size=?, labels=?, layer=?, forms=?, name=?)",
    "from_linen": "(module, variables=?, *, preprocess, size, labels=?, layer=?, forms=?, name=?, "
    "arguments=?)",
    "grad_cam": "(model, x, classes=?, *, layer=?, rule=?, score=?, grid=?, channel_axis=?)",
    "guided_relu": "(x)",
    "heat_map": "(maps, *, colormap=?)",
    "input_gradient": "(model, x, classes=?, *, rule=?, score=?)",
    "load": "(network=?, *, labels=?, precision=?, preprocess=?, size=?, pool=?, activation=?, "
    "last=?)",
    "full_grad": "(model, x, classes=?, *, rule=?, score=?, scale=?, batch_size=?)",
    "full_gradients": "(model, x, classes=?, *, rule=?, score=?)",
    "load_images": "(source, size=?, *, resample=?)",
    "load_vgg16": "(weights=?, *, labels=?, top=?, precision=?, param_dtype=?, "
    "preprocess=?, size=?, pool=?, activation=?, last=?)",
    "maximize": "(model, classes=?, *, layer=?, channel=?, score=?, rule=?, start=?, size=?, "
    "preprocess=?, bounds=?, steps=?, key=?, optimizer=?, parametrization=?, "
    "normalize_gradient=?, total_variation=?, norm=?, norm_order=?, jitter=?, rotation=?, scale=?, "
    "keep=?, progress=?)",
    "lrp": "(model, x, classes=?, *, score=?, composite=?, low=?, high=?, start=?, "
    "keep_channels=?, batch_size=?)",
    "normalize": "(maps)",
    "photographs": "()",
    "open_maps": "(path)",
    "overlay": "(images, maps, *, alpha=?, colormap=?)",
    "preprocess": "(images)",
    "rectified_relu": "(x)",
    "relu": "(x, rule)",
    "saliency": "(model, x, classes=?, *, rule=?, score=?, channel_axis=?)",
    "save_vgg16": "(model, path, *, dtype=?, facts=?)",
    "scene": "(seed, name)",
    "stream": "(network, source, out, *, classes=?, dtype=?, batch=?, resample=?, keep_images=?, "
    "process=?, devices=?, progress=?, **options)",
    "top_k": "(logits, k=?, *, labels=?, output=?)",
    "two_objects": "(seed, first, second)",
    "upsample": "(maps, size)",
    "use_compile_cache": "(folder=?)",
    "vanilla_relu": "(x)",
    "without_last_activation": "(f, *args, **kwargs)",
}

# What `**options` stands for, in `jv` and in `jv.evaluate`.
OPTIONS = ["layer", "rules", "methods", "score", "signed", "grid", "channel_axis"]
FIELDS = {
    jv.CutPoint: ["number", "name", "shape", "all_paths"],
    jv.CutPoints: ["points", "last"],
    jv.FullGradients: ["logits", "pixels", "biases"],
    jv.Network: ["model", "size", "preprocess", "labels", "layer", "name", "output", "resample"],
    jv.Process: ["number", "of", "connected"],
    jv.Method: [
        "name", "title", "function", "shown", "kind", "at", "signed", "rules", "forward",
        "backward", "paper", "about", "of_both", "of_chain",
    ],
    jv.AtRelu: ["arrives", "passed", "on"],
    jv.Pass: ["x", "input_gradient", "activation", "activation_gradient", "plain_gradient"],
}  # fmt: skip
DEFAULTS = {
    jv.Network: {"output": "softmax", "resample": "nearest"},
    jv.Method: {"of_both": False, "of_chain": False},
    jv.Pass: {"plain_gradient": None},
    jv.Process: {"number": 0, "of": 1, "connected": False},
}
MEMBERS = {  # beside the fields
    jv.CutPoint: ["layer"],
    jv.CutPoints: [],
    jv.Network: ["class_index", "class_name", "forward", "layer_name", "summary"],
    jv.Method: ["of_layer", "under"],
    jv.Maps: ["get", "items", "keys", "methods", "rows", "shown", "values"],
    jv.Process: ["share"],
    jv.StoredMaps: [
        "broken",
        "classes",
        "done",
        "files",
        "folder",
        "images",
        "logits",
        "map_names",
        "maps",
        "missing",
        "names",
        "several",
        "state",
    ],
}

# Of `jaxvis.evaluate`: what its `__init__.py` names.
EVALUATE = {
    "CASCADE": PLAIN,
    "CLOSELY": PLAIN,
    "Estimate": "(mean, low, high, images)",
    "Evaluation": "(questions, course, verdict, conclusion, seconds, left_out=?)",
    "Question": "(key, title, metrics, values, decide=?, line=?, draws=?)",
    "Verdict": "(comparisons, marks)",
    "Subjects": "(names, images, classes, masks, seeds)",
    "all_maps": "(network, subjects, **options)",
    "bounding_boxes": "(binary)",
    "box_masks": "(boxes, files, size=?, *, labels=?)",
    "cascading": "(model, seed=?, *, how=?, order=?)",
    "centre_maps": "(n, size)",
    "component_iou": "(maps, masks, *, threshold=?)",
    "deleted": "(model, x, classes, maps, *, share=?, output=?)",
    "deletion": "(model, x, classes, maps, *, step=?, output=?)",
    "drop_and_increase": "(model, x, classes, maps, *, output=?)",
    "edge_maps": "(images)",
    "energy_inside": "(maps, masks)",
    "estimate": "(values, *, confidence=?, resamples=?, seed=?)",
    "evaluate": "(network, subjects, *, pairs=?, closely=?, progress=?, **options)",
    "file_subjects": "(network, images, *, boxes=?, class_name=?, resample=?)",
    "independent": "(model, seed=?, *, how=?, order=?)",
    "holm": "(p_values, level)",
    "infidelity": "(model, x, classes, attributions, perturbations, *, normalize=?)",
    "insertion": "(model, x, classes, maps, *, step=?, output=?)",
    "largest_component": "(binary)",
    "layer_order": "(model, x=?)",
    "max_sensitivity": "(function, x, offsets)",
    "noisy_linear_imputation": "(x, removed, *, noise=?, seed=?, tolerance=?)",
    "pair_subjects": "(network, count, *, class_name=?)",
    "pointing_game": "(maps, masks, *, tolerance=?)",
    "precision_recall_area": "(maps, masks)",
    "random_maps": "(seeds, size)",
    "randomized": "(model, layers, *, seed=?, how=?, order=?)",
    "read_boxes": "(path)",
    "road": "(model, x, classes, maps, *, shares=?, most_relevant_first=?, "
    "noise=?, seed=?, output=?)",
    "scene_subjects": "(network, count, *, class_name=?)",
    "sign_flip": "(differences)",
    "spearman": "(a, b, *, absolute=?)",
    "square_perturbations": "(x, *, samples=?, smallest=?, largest=?, seed=?)",
    "ssim": "(a, b)",
    "strongest_overlap": "(a, b, *, share=?)",
    "uniform_offsets": "(x, *, samples=?, radius=?, seed=?)",
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


@pytest.mark.parametrize("name", EVALUATE)
def test_what_evaluates_is_called_as_before(name):
    assert shape_of(name, getattr(jv.evaluate, name)) == EVALUATE[name]


def test_nothing_else_evaluates():
    """Beside these there are only the files and folders of the package, which are modules."""
    found = vars(jv.evaluate).items()
    names = {n for n, thing in found if not n.startswith("_") and not inspect.ismodule(thing)}
    assert names == set(EVALUATE)


def test_options_have_their_names():
    """All of them may be left out."""
    assert list(Options.__annotations__) == OPTIONS
    assert Options.__required_keys__ == frozenset()


@pytest.mark.parametrize("kind", FIELDS, ids=lambda kind: kind.__name__)
def test_fields_have_their_names_and_places(kind):
    assert list(kind._fields) == FIELDS[kind]
    assert kind._field_defaults == DEFAULTS.get(kind, {})


@pytest.mark.parametrize("kind", MEMBERS, ids=lambda kind: kind.__name__)
def test_members_have_their_names(kind):
    of_tuples = {*dir(tuple), *getattr(kind, "_fields", ())}
    found = [n for n in dir(kind) if not n.startswith(("_", "tree_")) and n not in of_tuples]
    assert found == MEMBERS[kind]


def test_methods_and_rules_have_their_names():
    assert list(jv.METHODS) == [
        "saliency", "input_x_gradient", "guided_grad_cam", "grad_cam", "grad_cam_plus_plus",
        "layer_cam", "hires_cam", "xgrad_cam", "eigen_cam", "smoothgrad", "integrated_gradients",
        "full_grad", "lrp", "occlusion", "rise", "score_cam", "ablation_cam",
    ]  # fmt: skip
    assert list(jv.RULES) == ["vanilla", "rectified", "guided"]

"""`explain`: any set of maps from one compiled call; by default the lab's six."""

from typing import Any, Unpack

from jax.typing import ArrayLike
from jaxtyping import Float

from jaxvis.gradients.compiled import Executable
from jaxvis.methods.catalogue import LAB, METHODS
from jaxvis.methods.maps import Maps
from jaxvis.methods.one_pass import one_pass, ready, run
from jaxvis.methods.options import Asked, Options, Rules, asked_for
from jaxvis.types import AnyArray


def explain(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    **options: Unpack[Options],
) -> Maps:
    """Return the logits and, for every method and rule asked for, the maps of every image.

    `maps.saliency["guided"]` equals `saliency(model, x, classes, rule=GUIDED)` and
    `maps.grad_cam["guided"]` equals `grad_cam` likewise, up to rounding.

    Args:
        model, x, classes: as in `input_gradient` and `grad_cam`; without classes and score, each
            image is explained for the class that the model predicts. With classes (n, k), maps are
            (n, k, height, width), from one forward pass.
        options: `layer`, `rules`, `methods`, `score`, `signed` and `grid`: see
            `jaxvis.methods.options.Options`.

    Raises:
        TypeError, ValueError: as `grad_cam`; also for an option that there is not, and when
            there is no rule or method.
    """
    asked, rules = _asked(options)
    return Maps(*run(one_pass, asked, ready(model, x, classes, asked, rules)))


class CompiledExplain:
    """`explain`, compiled ahead of time for one kind of model and one shape of images."""

    def __init__(self, executable: Executable, asked: Asked, rules: Rules) -> None:
        self._executable, self._asked, self._rules = executable, asked, rules

    def __call__(
        self, model: Any, x: Float[AnyArray, "n height width channels"],
        classes: ArrayLike | None = None,
    ) -> Maps:  # fmt: skip
        """Return `explain(model, x, classes)`; raise TypeError for arguments of another kind."""
        given = ready(model, x, classes, self._asked, self._rules)
        return Maps(*run(self._executable, self._asked, given))

    @property
    def planned_bytes(self) -> int:
        """Memory that a call takes beside weights, images and maps, as the compiler plans it."""
        return self._executable.temporary_bytes


def compile_explain(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    **options: Unpack[Options],
) -> CompiledExplain:
    """Compile `explain` ahead of time, without running it.

    The result is called with model, x and classes of the same shapes and dtypes, other values
    allowed, and returns `Maps`. Arguments and errors are those of `explain`.
    """
    asked, rules = _asked(options)
    given = ready(model, x, classes, asked, rules)
    return CompiledExplain(one_pass.compile(*given.arguments), asked, rules)


def _asked(options: Options) -> tuple[Asked, Rules]:
    chosen: Options = {"methods": LAB, **options}
    return asked_for(METHODS, **chosen)

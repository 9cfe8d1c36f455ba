"""The checks of the notebooks in tutorials/, in files of their own, so that no answer stands in sight.

In a notebook: `jv.course.check("softmax", globals())`, and `jv.course.hint()` for one more hint.
A file per notebook holds what its exercises are judged by: never by how an answer is written, only
by what it does.
"""

from jaxvis.course import (
    adversarial,
    any_model,
    backdoor,
    beyond_one_gradient,
    fooling_the_map,
    gradcam,
    gradient_microscope,
    images,
    keras_weights,
    masks_and_relevance,
    one_compiled_call,
    relu_rules,
    saliency,
    vgg16,
    which_is_best,
    your_own_model,
)
from jaxvis.course.check import check as check
from jaxvis.course.check import hint as hint

LESSONS = (
    vgg16,
    images,
    saliency,
    relu_rules,
    gradient_microscope,
    gradcam,
    which_is_best,
    one_compiled_call,
    keras_weights,
    your_own_model,
    any_model,
    beyond_one_gradient,
    backdoor,
    adversarial,
    fooling_the_map,
    masks_and_relevance,
)

"""Which map tells the truth? Metrics of any map and model, and the evaluation made of them.

Where is it?
    `pointing_game`, `energy_inside`, `component_iou`, `precision_recall_area`
Does it matter to the network?
    `deletion`, `insertion`, `drop_and_increase`, `road`, `infidelity`, `max_sensitivity`
Does it depend on the network?
    `randomized`, `cascading`, `independent`; `spearman`, `strongest_overlap`, `ssim`
Is it better than nothing?
    `random_maps`, `centre_maps`, `edge_maps`; `sign_flip`, the exact paired test, `holm` for many;
    `estimate`, a mean with its bootstrap interval
All of them
    `evaluate`, which the command `jaxvis evaluate` runs
"""

from jaxvis.evaluate.boxes import box_masks as box_masks
from jaxvis.evaluate.boxes import read_boxes as read_boxes
from jaxvis.evaluate.evaluation import CLOSELY as CLOSELY
from jaxvis.evaluate.evaluation import Evaluation as Evaluation
from jaxvis.evaluate.evaluation import evaluate as evaluate
from jaxvis.evaluate.maps import all_maps as all_maps
from jaxvis.evaluate.metrics.average_drop import drop_and_increase as drop_and_increase
from jaxvis.evaluate.metrics.baselines import centre_maps as centre_maps
from jaxvis.evaluate.metrics.baselines import edge_maps as edge_maps
from jaxvis.evaluate.metrics.baselines import random_maps as random_maps
from jaxvis.evaluate.metrics.bootstrap import Estimate as Estimate
from jaxvis.evaluate.metrics.bootstrap import estimate as estimate
from jaxvis.evaluate.metrics.components import bounding_boxes as bounding_boxes
from jaxvis.evaluate.metrics.components import largest_component as largest_component
from jaxvis.evaluate.metrics.fidelity import infidelity as infidelity
from jaxvis.evaluate.metrics.fidelity import max_sensitivity as max_sensitivity
from jaxvis.evaluate.metrics.fidelity import square_perturbations as square_perturbations
from jaxvis.evaluate.metrics.fidelity import uniform_offsets as uniform_offsets
from jaxvis.evaluate.metrics.location import component_iou as component_iou
from jaxvis.evaluate.metrics.location import energy_inside as energy_inside
from jaxvis.evaluate.metrics.location import pointing_game as pointing_game
from jaxvis.evaluate.metrics.location import precision_recall_area as precision_recall_area
from jaxvis.evaluate.metrics.randomization import CASCADE as CASCADE
from jaxvis.evaluate.metrics.randomization import cascading as cascading
from jaxvis.evaluate.metrics.randomization import independent as independent
from jaxvis.evaluate.metrics.randomization import layer_order as layer_order
from jaxvis.evaluate.metrics.randomization import randomized as randomized
from jaxvis.evaluate.metrics.rise import deleted as deleted
from jaxvis.evaluate.metrics.rise import deletion as deletion
from jaxvis.evaluate.metrics.rise import insertion as insertion
from jaxvis.evaluate.metrics.road import noisy_linear_imputation as noisy_linear_imputation
from jaxvis.evaluate.metrics.road import road as road
from jaxvis.evaluate.metrics.sign_flip import holm as holm
from jaxvis.evaluate.metrics.sign_flip import sign_flip as sign_flip
from jaxvis.evaluate.metrics.similarity import spearman as spearman
from jaxvis.evaluate.metrics.similarity import ssim as ssim
from jaxvis.evaluate.metrics.similarity import strongest_overlap as strongest_overlap
from jaxvis.evaluate.questions.question import Question as Question
from jaxvis.evaluate.subjects import Subjects as Subjects
from jaxvis.evaluate.subjects import file_subjects as file_subjects
from jaxvis.evaluate.subjects import pair_subjects as pair_subjects
from jaxvis.evaluate.subjects import scene_subjects as scene_subjects
from jaxvis.evaluate.verdict import Verdict as Verdict

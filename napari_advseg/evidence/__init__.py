"""What an attack shows: measures, random control, the bundle on disk, verification, figure."""

from .bundle import check_replaceable, result_record, save_bundle
from .control import control_parameters, measure_control
from .examples import draw_examples
from .figure import draw_figure, sentence
from .measures import Evidence, measure_evidence, newly_wrong, noise_ratio, ssim
from .palette import organ_colour
from .verification import Check, verify_bundle

__all__ = [
    "Check",
    "Evidence",
    "check_replaceable",
    "control_parameters",
    "draw_examples",
    "draw_figure",
    "measure_control",
    "measure_evidence",
    "newly_wrong",
    "noise_ratio",
    "organ_colour",
    "result_record",
    "save_bundle",
    "sentence",
    "ssim",
    "verify_bundle",
]

"""What an attack shows: measures, random control, the bundle on disk, verification, figure."""

from .bundle import check_replaceable, result_record, save_bundle
from .bundle_reading import Bundle, read_bundle, read_record
from .control import control_parameters, measure_control
from .examples import draw_examples
from .figure import draw_figure, sentence
from .measures import Evidence, measure_evidence, newly_wrong, noise_ratio, ssim
from .organ_table import OrganRow, hd95_mm, organ_table
from .palette import organ_colour
from .stored_path import StoredPath
from .verification import Check, verify_bundle

__all__ = [
    "Bundle",
    "Check",
    "Evidence",
    "OrganRow",
    "StoredPath",
    "check_replaceable",
    "control_parameters",
    "draw_examples",
    "draw_figure",
    "hd95_mm",
    "measure_control",
    "measure_evidence",
    "newly_wrong",
    "noise_ratio",
    "organ_colour",
    "organ_table",
    "read_bundle",
    "read_record",
    "result_record",
    "save_bundle",
    "sentence",
    "ssim",
    "verify_bundle",
]

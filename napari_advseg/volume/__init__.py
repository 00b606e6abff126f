"""A CT in patient space: reading, writing, orientation, regions, HU windows."""

from .aside import folder_aside
from .body import SOFT_TISSUE, body_mask
from .grid import Grid, Reorientation, Slices, reorient, reorient_grid, reorientation, restore
from .header import check_nifti, hidden_nan
from .organ_names import match_labels, organ_key
from .plain_json import parse_json
from .reading import SeveralSeriesError, file_sha256, read_ct, read_label_names, read_labels
from .region import Region
from .volume import Source, Volume, volume_from_array
from .writing import displacement_lps, write_displacement, write_image

__all__ = [
    "SOFT_TISSUE",
    "Grid",
    "Region",
    "Reorientation",
    "SeveralSeriesError",
    "Slices",
    "Source",
    "Volume",
    "body_mask",
    "check_nifti",
    "displacement_lps",
    "file_sha256",
    "folder_aside",
    "hidden_nan",
    "match_labels",
    "organ_key",
    "parse_json",
    "read_ct",
    "read_label_names",
    "read_labels",
    "reorient",
    "reorient_grid",
    "reorientation",
    "restore",
    "volume_from_array",
    "write_displacement",
    "write_image",
]

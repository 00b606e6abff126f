"""Every layout is listed as it should be, under pseudonyms; what is wrong gets one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_advseg.cohort import ListedCase, read_cases, write_table

HIDDEN = ("._a.nii.gz", ".DS_Store", ".hidden.nii.gz")


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def dicom(folder: Path, suffix: str = "") -> None:
    folder.mkdir(parents=True)
    for number in range(3):
        (folder / f"IM{number}{suffix}").write_bytes(bytes(128) + b"DICM")


def listed(source: Path) -> list[tuple[str, str, str | None]]:
    """(name, CT, reference) by the files' own names, relative to the source."""
    root = source if source.is_dir() else source.parent
    return [
        (
            case.name,
            case.ct.relative_to(root).as_posix(),
            None if case.reference is None else case.reference.relative_to(root).as_posix(),
        )
        for case in read_cases(source, names="file")
    ]


def test_files_and_dicom_folders_side_by_side(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "ct10.nii.gz",
        "ct2.nrrd",
        "notes.txt",
        "ct2_seg.nii.gz",
        "segmentation-0.nii",
        "sub/readme.md",
        *HIDDEN,
    )
    dicom(tmp_path / "scan")
    dicom(tmp_path / "old", ".dcm")
    dicom(tmp_path / "labels")
    assert listed(tmp_path) == [
        ("ct2", "ct2.nrrd", None),
        ("ct10", "ct10.nii.gz", None),
        ("old", "old", None),
        ("scan", "scan", None),
    ]
    dicom(tmp_path / "scan" / "deeper")
    assert listed(tmp_path / "old") == [("old", ".", None)]


def test_nnunet_raw(tmp_path: Path) -> None:
    touch(tmp_path, "imagesTr/a_1_0000.nii.gz", "imagesTr/a_2_0000.nii.gz", "imagesTs/b_0000.nii.gz")
    touch(tmp_path, "labelsTr/a_1.nii.gz", "labelsTr/a_2.nii.gz", "imagesTr/._a_1_0000.nii.gz")
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "liver": 1}}))
    expected = [
        ("a_1", "imagesTr/a_1_0000.nii.gz", "labelsTr/a_1.nii.gz"),
        ("a_2", "imagesTr/a_2_0000.nii.gz", "labelsTr/a_2.nii.gz"),
        ("b", "imagesTs/b_0000.nii.gz", None),
    ]
    assert listed(tmp_path) == expected
    cases = read_cases(tmp_path)
    assert [case.label_names for case in cases] == [tmp_path / "dataset.json"] * 2 + [None]
    assert read_cases(tmp_path / "imagesTr") == cases[:2]


def test_of_several_channels_the_ct_is_taken_or_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, "imagesTr/a_0000.nii.gz", "imagesTr/a_0001.nii.gz", "labelsTr/a.nii.gz")
    with pytest.raises(ValueError, match="a in .* has 2 channels .*which one is the CT: name it"):
        read_cases(tmp_path)
    (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": {"0": "PET", "1": "CT"}}))
    assert listed(tmp_path) == [("a", "imagesTr/a_0001.nii.gz", "labelsTr/a.nii.gz")]


def test_medical_segmentation_decathlon(tmp_path: Path) -> None:
    touch(tmp_path, "imagesTr/liver_0.nii.gz", "imagesTr/liver_10.nii.gz", "imagesTr/liver_2.nii.gz")
    touch(
        tmp_path, "labelsTr/liver_0.nii.gz", "labelsTr/liver_2.nii.gz", "imagesTs/liver_5.nii.gz", "imagesTr/._x.nii.gz"
    )
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"0": "background", "1": "liver"}}))
    assert listed(tmp_path) == [
        ("liver_0", "imagesTr/liver_0.nii.gz", "labelsTr/liver_0.nii.gz"),
        ("liver_2", "imagesTr/liver_2.nii.gz", "labelsTr/liver_2.nii.gz"),
        ("liver_10", "imagesTr/liver_10.nii.gz", None),
        ("liver_5", "imagesTs/liver_5.nii.gz", None),
    ]
    assert read_cases(tmp_path)[0].label_names == tmp_path / "dataset.json"


def test_bids(tmp_path: Path) -> None:
    touch(
        tmp_path, "sub-01/ct/sub-01_ct.nii.gz", "sub-01/ct/sub-01_ct.json", "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-02/ses-a/anat/sub-02_ses-a_acq-thin_ct.nii.gz", "sub-02/ses-b/anat/sub-02_ses-b_ct.nii.gz",
        "sub-02/ses-a/anat/._sub-02_ses-a_acq-thin_ct.nii.gz",
    )  # fmt: skip
    made = tmp_path / "derivatives" / "manual"
    touch(made, "sub-01/ct/sub-01_desc-organs_dseg.nii.gz", "sub-02/ses-a/anat/sub-02_ses-a_space-orig_dseg.nii.gz")
    touch(made, "sub-01/ct/._sub-01_desc-organs_dseg.nii.gz", "sub-02/ses-c/anat/sub-02_ses-c_dseg.nii.gz")
    (made / "sub-01" / "ct" / "sub-01_desc-organs_dseg.tsv").write_text("index\tname\n1\tliver\n")
    (made / "dseg.tsv").write_text("\ufeffname\tindex\nspleen\t2\n", encoding="utf-8")
    assert listed(tmp_path) == [
        ("sub-01", "sub-01/ct/sub-01_ct.nii.gz", "derivatives/manual/sub-01/ct/sub-01_desc-organs_dseg.nii.gz"),
        (
            "sub-02_ses-a_acq-thin",
            "sub-02/ses-a/anat/sub-02_ses-a_acq-thin_ct.nii.gz",
            "derivatives/manual/sub-02/ses-a/anat/sub-02_ses-a_space-orig_dseg.nii.gz",
        ),
        ("sub-02_ses-b", "sub-02/ses-b/anat/sub-02_ses-b_ct.nii.gz", None),
    ]
    assert [case.label_names for case in read_cases(tmp_path)] == [{1: "liver"}, {2: "spleen"}, None]

    touch(tmp_path, "derivatives/other/sub-01/ct/sub-01_dseg.nii.gz")
    with pytest.raises(ValueError, match="2 segmentations fit sub-01_ct.nii.gz .*CSV"):
        read_cases(tmp_path)
    (made / "dseg.tsv").write_text("id\tname\n1\tliver\n")
    (tmp_path / "derivatives" / "other" / "sub-01" / "ct" / "sub-01_dseg.nii.gz").unlink()
    with pytest.raises(ValueError, match="dseg.tsv does not name labels: expected the columns index"):
        read_cases(tmp_path)


def test_a_folder_per_case(tmp_path: Path) -> None:
    touch(tmp_path, "a/ct.nii.gz", "a/labels.nii.gz", "a/labels.json", "a/pet.nii.gz", "a/._ct.nii.gz")
    touch(
        tmp_path, "b/image.mha", "b/segmentation.nrrd", "c/labels.nii.gz", "d/whatever.nii.gz", "d/whatever_seg.nii.gz"
    )
    touch(tmp_path, "results/perturbed.nii.gz", "results/displacement.nii.gz", "empty/nothing.txt", "loose.nii.gz")
    dicom(tmp_path / "c" / "dicom")
    dicom(tmp_path / "e")
    touch(tmp_path, "e/segmentation.nii.gz", "e/labels.json")
    assert listed(tmp_path) == [
        ("a", "a/ct.nii.gz", "a/labels.nii.gz"),
        ("b", "b/image.mha", "b/segmentation.nrrd"),
        ("c", "c/dicom", "c/labels.nii.gz"),
        ("d", "d/whatever.nii.gz", "d/whatever_seg.nii.gz"),
        ("e", "e", "e/segmentation.nii.gz"),
        ("loose", "loose.nii.gz", None),
    ]
    names = [case.label_names for case in read_cases(tmp_path)]
    assert names == [tmp_path / "a" / "labels.json", None, None, None, tmp_path / "e" / "labels.json", None]
    touch(tmp_path, "labels.json")
    assert read_cases(tmp_path)[1].label_names == tmp_path / "labels.json"


def test_an_empty_folder_gets_one_line(tmp_path: Path) -> None:
    touch(tmp_path, *HIDDEN, "notes.txt", "labels.nii.gz", "sub/notes.txt")
    with pytest.raises(ValueError, match="holds no case: expected CT files.*; choose") as fault:
        read_cases(tmp_path)
    assert "\n" not in str(fault.value)
    with pytest.raises(FileNotFoundError, match="there is no folder or CSV file"):
        read_cases(tmp_path / "nowhere")


def test_names_are_pseudonyms_unless_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, "Miller_Anna.nii.gz", "Smith_John.nii.gz")
    assert [case.name for case in read_cases(tmp_path)] == ["Case 1", "Case 2"]
    assert [case.name for case in read_cases(tmp_path, names="file")] == ["Miller_Anna", "Smith_John"]
    table = tmp_path / "cases.csv"
    table.write_text("case,ct\nJohn,Smith_John.nii.gz\nAnna,Miller_Anna.nii.gz\n")
    assert [(case.name, case.ct.name) for case in read_cases(table)] == [
        ("Case 1", "Smith_John.nii.gz"), ("Case 2", "Miller_Anna.nii.gz"),
    ]  # fmt: skip
    assert [case.name for case in read_cases(table, names="file")] == ["John", "Anna"]


def test_cases_of_one_name_are_told_apart(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii.gz", "a.nrrd", "b.nii")
    assert [case.name for case in read_cases(tmp_path, names="file")] == ["a.nii.gz", "a.nrrd", "b"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_csv_as_spreadsheets_write_it(tmp_path: Path, separator: str) -> None:
    touch(tmp_path, "sub/a,1.nii.gz", "b.nii.gz", "a_labels.nii.gz", "names.json")
    rows = [
        "", "Case;CT;Reference;label_names", "", 'one;"sub/a,1.nii.gz";a_labels.nii.gz;names.json', ";;;",
        "two; b.nii.gz ;;", "",
    ]  # fmt: skip
    table = tmp_path / "cases.csv"
    table.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).replace(";", separator).encode())
    assert read_cases(table, names="file") == (
        ListedCase(
            name="one", ct=tmp_path / "sub" / "a,1.nii.gz", reference=tmp_path / "a_labels.nii.gz",
            label_names=tmp_path / "names.json",
        ),
        ListedCase(name="two", ct=tmp_path / "b.nii.gz"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty: expected a CSV with the columns case, ct"),
        ("\n\nid,ct\n1,a.nii.gz\n", "row 3: the columns are id, ct; expected case and ct"),
        ("case,ct,age\n1,a.nii.gz,7\n", "row 1: the columns are case, ct, age; expected"),
        ("case,ct,ct\n", "row 1: the columns are case, ct, ct; expected"),
        ("case,ct\n", "holds no case"),
        ("case,ct\n1,a.nii.gz\n\n2,b.nii.gz\n", "row 4: there is no CT .*b.nii.gz: correct the path"),
        ("case,ct,reference\n1,a.nii.gz,x.nii.gz\n", "row 2: there is no labels .*x.nii.gz"),
        ("case,ct,label_names\n1,a.nii.gz,x.json\n", "row 2: there is no file of label names .*x.json"),
        ('case,ct,label_names\n1,a.nii.gz,"{1: liver}"\n', "row 2: label_names is {1: liver}: expected"),
        ("case,ct\n1,a.nii.gz\n1,a.nii.gz\n", "row 3: the case '1' is in row 2 already"),
        ("case,ct\n,a.nii.gz\n", "row 2: the column 'case' is empty"),
        ("case,ct\n1\n", "row 2: the column 'ct' is empty"),
        ("case,ct\n1,a.nii.gz,b.nii.gz\n", "row 2: 3 cells under 2 columns: put quotation marks"),
        ('case,ct\n1,"a.nii.gz\n', "row .*this is no CSV"),
        ("case,ct\n1,a\0.nii.gz\n", "row 2: there is no CT"),
    ],
)
def test_a_csv_that_is_wrong_gets_one_line_that_names_the_row(tmp_path: Path, text: str, words: str) -> None:
    touch(tmp_path, "a.nii.gz")
    table = tmp_path / "cases.csv"
    table.write_text(text)
    with pytest.raises(ValueError, match=words) as fault:
        read_cases(table)
    assert "\n" not in str(fault.value)


def test_a_csv_in_another_encoding_gets_one_line(tmp_path: Path) -> None:
    table = tmp_path / "cases.csv"
    table.write_text("case,ct\nMüller,a.nii.gz\n", encoding="cp1252")
    with pytest.raises(ValueError, match="is no CSV in UTF-8"):
        read_cases(table)


file_names = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\\0\r\n", exclude_categories=["Cc", "Cs"]), max_size=12
)
labels = st.dictionaries(st.integers(0, 99), st.text(st.characters(codec="utf-8"), max_size=8), min_size=1, max_size=3)
case_names = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12).map(str.strip).filter(bool)


@given(data=st.data(), names=st.lists(case_names, min_size=1, max_size=4, unique=True))
def test_a_list_written_as_a_csv_is_read_back(
    data: st.DataObject, names: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("data")
    place = root / data.draw(st.sampled_from(["", "lists", "imagesTr"])) / "cases.csv"
    place.parent.mkdir(exist_ok=True)
    cases = []
    for name in names:
        file = data.draw(file_names)
        touch(root, f"imagesTr/x{file}.nii.gz", f"other/x{file}x", "names.json")
        cases.append(
            ListedCase(
                name=name,
                ct=root / "imagesTr" / f"x{file}.nii.gz",
                reference=data.draw(st.sampled_from([None, root / "other" / f"x{file}x"])),
                label_names=data.draw(st.one_of(st.none(), st.just(root / "names.json"), labels)),
                series=data.draw(st.one_of(st.none(), st.integers(0, 9), st.just("1.2.840.5"))),
            )
        )
    assert read_cases(write_table(cases, place), names="file") == tuple(cases)
    assert [case.name for case in read_cases(place)] == [f"Case {n}" for n in range(1, len(names) + 1)]

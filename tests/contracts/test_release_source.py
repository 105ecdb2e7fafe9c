"""A released folder as a source: which patients are read, and what is refused in words."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from parallax.checksums import SUMS
from parallax.errors import ProtocolError, SourceError
from parallax.extraction.preflight import check_sources
from parallax.extraction.registry import applied_criteria, read_source
from parallax.protocol import ReleasedFolder, ReleaseSource
from parallax.protocol.loading import read_protocol
from parallax.signing import SUFFIX, sign_file
from released_folders import PATIENTS, write_folder

FAULTS = Path(__file__).parents[1] / "protocol/faults"


def source(**settings: object) -> ReleaseSource:
    return ReleaseSource.model_validate({"source": "release", "path": "received"} | settings)


def refusal(folder: Path, **settings: object) -> str:
    with pytest.raises(SourceError) as caught:
        read_source(source(**settings), folder=folder)
    return str(caught.value)


def make_key(folder: Path, name: str) -> tuple[Path, str]:
    key = Ed25519PrivateKey.generate()
    path = folder / f"{name}.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    (folder / f"{name}_public.pem").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path, f"{name}_public.pem"


def test_one_replicate_is_read_with_its_types(tmp_path: Path) -> None:
    write_folder(tmp_path / "received")
    frame = read_source(source(), folder=tmp_path)
    assert list(frame.columns) == ["patient_id", "age", "sex", "stage", "smoker"]
    assert frame["age"].fillna(-1).tolist() == [50.5, -1, 70.0]
    assert frame["stage"].dtype.kind == "i"
    assert frame["smoker"].dtype.kind == "b"
    other = read_source(source(replicate=1), folder=tmp_path)
    assert other["age"].tolist() == [51.0, 61.0, 71.0]


def test_criteria_that_were_applied_before_are_known(tmp_path: Path) -> None:
    write_folder(tmp_path / "received")
    assert applied_criteria(source(), folder=tmp_path) == ("consent = 1",)


def test_unknown_replicates_and_sites_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "received", sites=("clinic", "ward"))
    assert "has no replicate 2; there are 2, numbered from 0" in refusal(tmp_path, replicate=2, site="ward")
    assert "has the sites clinic, ward, found none named" in refusal(tmp_path)
    assert 'did you mean "clinic"' in refusal(tmp_path, site="clinics")


def test_a_changed_folder_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "received")
    path = folder / "patients/clinic.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "patients/clinic.parquet changed since SHA256SUMS was written" in refusal(tmp_path)


def test_a_signature_counts_where_a_key_is_given(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "received")
    (key, public), (_, stranger) = make_key(tmp_path, "sender"), make_key(tmp_path, "stranger")
    assert "SHA256SUMS.sig" in refusal(tmp_path, public_key=public)
    (folder / (SUMS + SUFFIX)).write_bytes(sign_file(folder / SUMS, key=key))
    assert len(read_source(source(public_key=public), folder=tmp_path)) == 3
    assert "no signature of this file by this key" in refusal(tmp_path, public_key=stranger)
    # whoever changes a file and the list as well has no key
    write_folder(folder, patients=PATIENTS.assign(age=40.0))
    assert len(read_source(source(), folder=tmp_path)) == 3
    assert "no signature of this file by this key" in refusal(tmp_path, public_key=public)


@pytest.mark.parametrize("record", [b"", b"[]", b"{", b'{"format": 2, "sites": [], "replicates": 1, "criteria_applied": []}', b"[" * 100_000])
def test_a_record_that_is_none_is_refused(tmp_path: Path, record: bytes) -> None:
    write_folder(tmp_path / "received", record=record or b"nothing")
    assert "is no record of a release" in refusal(tmp_path)


def test_a_site_of_the_record_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    write_folder(tmp_path / "received", record={"format": 1, "sites": ["../../x"], "replicates": 2, "criteria_applied": []})
    assert "is no record of a release" in refusal(tmp_path)


def test_columns_of_other_types_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "received", patients=PATIENTS.assign(seen=pd.Timestamp("2026-01-01")))
    assert "expected columns of the types BIGINT, DOUBLE, VARCHAR, BOOLEAN, found TIMESTAMP" in refusal(tmp_path)
    write_folder(tmp_path / "received", patients=PATIENTS.drop(columns="replicate"))
    assert 'the file has no column "replicate"' in refusal(tmp_path)


def test_a_release_without_the_comparators_that_the_protocol_names_is_no_external_control(tmp_path: Path) -> None:
    patients = PATIENTS.drop(columns=["stage", "smoker"]).assign(drug="No", days=30.0, dead=0)
    write_folder(tmp_path / "received", patients=patients)
    (tmp_path / "patients.csv").write_bytes((FAULTS / "patients.csv").read_bytes())
    protocol = read_protocol(FAULTS / "data_external_control_missing.yaml")
    data = protocol.data.model_copy(update={"external_controls": {"clinic": ReleasedFolder(path="received")}})
    with pytest.raises(ProtocolError, match='a release in which nobody has the drug "no"'):
        check_sources(protocol.model_copy(update={"data": data}), folder=tmp_path)
    write_folder(tmp_path / "received", patients=patients.assign(drug="no"))
    check_sources(protocol.model_copy(update={"data": data}), folder=tmp_path)

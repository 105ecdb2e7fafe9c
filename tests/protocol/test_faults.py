"""One bad protocol per file of `faults`, with its exact message beside it; `data_*` are found by the look at the data before the first job."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallax.errors import ProtocolError
from parallax.extraction.preflight import check_sources
from parallax.protocol.loading import read_protocol

FAULTS = Path(__file__).parent / "faults"
NAMES = sorted(path.stem for path in FAULTS.glob("*.yaml") if path.stem != "sound")


@pytest.mark.parametrize("name", NAMES)
def test_bad_protocol_is_explained(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FAULTS)
    with pytest.raises(ProtocolError) as caught:  # noqa: PT012  the second statement raises for the data_* files
        protocol = read_protocol(Path(f"{name}.yaml"))
        assert name.startswith("data_")
        check_sources(protocol, folder=Path())
    assert f"{caught.value}\n" == (FAULTS / f"{name}.txt").read_text(encoding="utf-8")


def test_every_message_has_its_protocol() -> None:
    assert sorted(path.stem for path in FAULTS.glob("*.txt")) == NAMES


def test_the_protocol_that_the_bad_ones_vary_is_sound() -> None:
    protocol = read_protocol(FAULTS / "sound.yaml")
    check_sources(protocol, folder=FAULTS)

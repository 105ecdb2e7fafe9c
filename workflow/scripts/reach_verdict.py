"""Judge every generator of every site by the protocol's gates."""

from pathlib import Path

import pandas as pd

from parallax.job import job
from parallax.protocol.generators import guarantee_of
from parallax.protocol.protocol import Protocol
from parallax.storage import read_json, read_table, read_text, write_json
from parallax.tables import AGREEMENT, ATTRIBUTION, FIDELITY, GENERATION, PRIVACY
from parallax.validation.registration import describe_registration
from parallax.validation.verdict import reach_verdict


def judge(folder, generator, protocol):
    certificate, certified = folder.parent / "certification/certificate.json", protocol.validation.certification.repetitions > 0
    return reach_verdict(
        generator,
        agreement=read_table(folder / "agreement.parquet", AGREEMENT),
        fidelity=read_table(folder / "fidelity.parquet", FIDELITY),
        privacy=read_table(folder / "privacy.parquet", PRIVACY),
        generation=pd.concat([read_table(folder / f"{stage}.parquet", GENERATION) for stage in ("fit", "draw", "refit")]),
        attribution=read_table(folder / "attribution.parquet", ATTRIBUTION),
        gates=protocol.validation.gates,
        certified=certified and generator in protocol.certified_generators,
        certificate=read_json(certificate) if certified else None,
        guarantee=guarantee_of(protocol.synthesis.generators[generator]),
    ).plain() | {"patients_sha256": read_json(folder / "model.json")["patients_sha256"]}


def reach(output, params):
    protocol, registration = Protocol.of(params.protocol), describe_registration(read_text(params.register)).plain()
    sites = {site: {name: judge(Path(params.exact) / site / name, name, protocol) for name in protocol.generators} for site in protocol.sites}
    judged = {"sites": sites, "certified": protocol.validation.certification.repetitions > 0, "registration": registration}
    write_json(output[0], {"study": protocol.study.name, "protocol_digest": protocol.digest} | judged)


with job(snakemake.log[0]):
    reach(snakemake.output, snakemake.params)

"""Judge every generator of every site by the protocol's gates; each number was held against its threshold before it was rounded."""

from pathlib import Path

import pandas as pd

from parallax import tables
from parallax.disclosure.site import JUDGED, TELLING, disclose_site
from parallax.job import job
from parallax.protocol.generators import guarantee_of
from parallax.protocol.protocol import Protocol
from parallax.storage import read_exact, read_json, read_table, read_text, write_json
from parallax.validation.registration import describe_registration
from parallax.validation.verdict import reach_verdict


def judge(folder, generator, protocol):
    exact = read_exact(folder, (*TELLING, *((generator, name) for name in JUDGED)))
    shown, certified = exact | disclose_site(exact, protocol), protocol.validation.certification.repetitions > 0
    return reach_verdict(
        generator,
        **{name: shown[generator, name] for name in JUDGED},
        generation=pd.concat(read_table(folder / generator / f"{stage}.parquet", tables.GENERATION) for stage in ("fit", "draw", "refit")),
        gates=protocol.validation.gates,
        certified=certified and generator in protocol.certified_generators,
        certificate=read_json(folder / "certification/certificate.json") if certified else None,
        guarantee=guarantee_of(protocol.synthesis.generators[generator]),
    ).plain() | {"patients_sha256": read_json(folder / generator / "model.json")["patients_sha256"]}


def reach(output, params):
    protocol, registration = Protocol.of(params.protocol), describe_registration(read_text(params.register)).plain()
    sites = {site: {name: judge(Path(params.exact) / site, name, protocol) for name in protocol.generators} for site in protocol.sites}
    record = {"study": protocol.study.name, "protocol_digest": protocol.digest, "registration": registration, "sites": sites}
    write_json(output[0], record | {"certified": protocol.validation.certification.repetitions > 0})


with job(snakemake.log[0]):
    reach(snakemake.output, snakemake.params)

"""Write what a site tells the others, from its tables as they may be shown, and sign it where there is a key."""

from pathlib import Path

from parallax import __version__, tables
from parallax.disclosure.follow_up import disclose_follow_up
from parallax.disclosure.site import TELLING, disclose_site
from parallax.job import job
from parallax.protocol.protocol import Protocol
from parallax.provenance import read_commit
from parallax.signing import sign_file
from parallax.sites.site_results import build_site_results
from parallax.storage import read_exact, read_json, read_table, write_bytes, write_json
from parallax.vocabulary import REAL


def write(input, output, params, log):
    protocol = Protocol.of(params.protocol)
    wanted = [(dataset, name) for dataset in (REAL, *protocol.generators) for name in ("combined", "balance", "overlap")]
    shown = disclose_site(read_exact(params.exact, (*wanted, *TELLING)), protocol)
    judged = read_json(input.verdict)["sites"][params.site]
    verdicts = {name: judged[name]["verdict"] for name in protocol.generators}
    cohort = read_table(input.cohort, tables.cohort_schema(protocol.cohort.covariates, protocol.outcomes))
    told = {"follow_up": disclose_follow_up(cohort, protocol.outcomes.survival, protocol.disclosure), "verdicts": verdicts}
    made_by = {"parallax": __version__, "commit": read_commit(Path(params.repository))}
    write_json(output.results, build_site_results(params.site, protocol, shown, **told, **made_by))
    if params.key is None:
        log.warning("not signed: give a key with --config signing_key=FILE")
    else:
        write_bytes(output.signature, sign_file(output.results, key=params.key))


with job(snakemake.log[0]) as log:
    write(snakemake.input, snakemake.output, snakemake.params, log)

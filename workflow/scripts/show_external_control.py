"""What treated patients show against an AI-generated control, replicates combined, as a table, a figure and a page."""

from parallax.disclosure.combined import disclose_external_control
from parallax.job import job
from parallax.protocol.protocol import Protocol
from parallax.reporting.external_control import render_external_control
from parallax.reporting.figures.external_control import CONTROL, draw_external_control, summarise_external_control
from parallax.reporting.results import collect_estimates
from parallax.reporting.style import to_standalone_svg
from parallax.storage import read_json, read_table, write_csv, write_text
from parallax.tables import CONCENTRATION, ESTIMATES, OVERLAP
from parallax.validation.combining import combine, select_answers


def answer(estimates, record, concentration, protocol):
    patients = record["treated"] + record["comparators"]
    made = read_table(estimates, ESTIMATES)
    combined = select_answers(combine(made, patients=patients, synthetic=patients, not_estimable=protocol.validation.gates.replicates_not_estimable))
    shown = {"primary": protocol.question.primary, "compared_here": record["compared_here"]}
    return disclose_external_control(combined, protocol.disclosure, concentration=read_table(concentration, CONCENTRATION), **shown)


def show(input, output, params):
    protocol = Protocol.of(params.protocol)
    primary = protocol.question.primary
    keys = [(site, "external_control") for site in protocol.data.external_controls]
    parts = zip(keys, input.estimates, input.records, input.concentrations, strict=True)
    shown = {key: answer(path, read_json(record), concentration, protocol) for key, path, record, concentration in parts}
    table = collect_estimates(shown, {key: read_table(path, OVERLAP) for key, path in zip(keys, input.overlaps, strict=True)}).assign(dataset=CONTROL)
    write_csv(output.table, table)
    write_text(output.page, render_external_control(table, protocol))
    write_text(output.figure, to_standalone_svg(draw_external_control(table, primary)))
    print(summarise_external_control(table, primary, output.table))


with job(snakemake.log[0]):
    show(snakemake.input, snakemake.output, snakemake.params)

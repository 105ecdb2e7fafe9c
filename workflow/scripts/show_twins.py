"""What may be shown of the virtual twins: average curves, and the study's estimates beside the truth, as tables and a figure."""

from pathlib import Path

import pandas as pd

from parallax.disclosure.twins import disclose_averages
from parallax.job import job
from parallax.protocol.disclosure import DisclosureSection
from parallax.protocol.question import PrimaryEstimate
from parallax.reporting.figures.twins import draw_twins
from parallax.reporting.style import to_standalone_svg
from parallax.reporting.uses import summarise_twins
from parallax.storage import read_table, write_csv, write_text
from parallax.tables import TWIN_AVERAGES, TWIN_TRUTHS


def show(input, output, params):
    averages, truths = [], []
    for of_averages, of_truths in zip(input.averages, input.truths, strict=True):
        site, generator = Path(of_truths).parts[-3:-1]
        labels = {"site": site, "generator": generator}
        averages.append(disclose_averages(read_table(of_averages, TWIN_AVERAGES), DisclosureSection.of(params.disclosure)).assign(**labels))
        truths.append(read_table(of_truths, TWIN_TRUTHS).assign(**labels))
    write_csv(output.curves, pd.concat(averages, ignore_index=True))
    write_csv(output.truths, pd.concat(truths, ignore_index=True))
    primary = PrimaryEstimate.of(params.primary)
    print(summarise_twins(pd.concat(truths), primary, output.truths))
    figure = draw_twins(averages[0], truths[0], primary=primary)
    write_text(output.figure, to_standalone_svg(figure))


with job(snakemake.log[0]):
    show(snakemake.input, snakemake.output, snakemake.params)

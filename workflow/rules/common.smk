# Library path, protocol, wildcard constraints and target lists; no other file of rules defines a function.
import os
import sys

# what Snakemake and the jobs make is its owner's alone, whatever the user's mask; what a reader opens is opened when it is written
USERS_MASK = os.umask(0o077)

REPOSITORY = Path(workflow.basedir)
LIBRARY = REPOSITORY / "workflow/lib"
if str(LIBRARY) not in sys.path:
    sys.path.insert(0, str(LIBRARY))

from parallax.capabilities import GENERATORS
from parallax.checksums import SUMS
from parallax.digest import code_digest
from parallax.errors import ParallaxError
from parallax.job import describe_failure
from parallax.protocol.generators import FLAT
from parallax.protocol.loading import read_protocol, resolve_study
from parallax.provenance import find_version
from parallax.seeds import derive_seed, name_refit
from parallax.vocabulary import (
    CERTIFICATION,
    EXTERNAL_CONTROL,
    FLAT_COPULA,
    FLOOR,
    POOLED,
    REAL,
)

try:
    PROTOCOL_FILE = resolve_study(str(config["study"]), REPOSITORY / "config/studies")
    PROTOCOL = read_protocol(PROTOCOL_FILE)
    if workflow.is_main_process:
        from parallax.extraction.preflight import check_sources

        FACTS = check_sources(PROTOCOL, folder=PROTOCOL_FILE.parent)
        if config.get("signing_key"):
            from parallax.signing import read_private_key

            read_private_key(str(config["signing_key"]))
        for site in PROTOCOL.joining_sites:
            from parallax.sites.released import read_released

            read_released(site, PROTOCOL, folder=PROTOCOL_FILE.parent)
        if PROTOCOL.pooling.site_results:
            from parallax.sites.reading import read_site_results

            read_site_results(PROTOCOL, folder=PROTOCOL_FILE.parent, here=FACTS)
except Exception as error:
    # in words, without places in this file, and without a value that another exception may hold
    sys.exit(describe_failure(error))

STUDY = Path(str(config["results"])) / PROTOCOL.study.name

ANCESTOR = next(
    folder
    for folder in (STUDY.absolute(), *STUDY.absolute().parents)
    if folder.exists()
)
if not (ANCESTOR.is_dir() and os.access(ANCESTOR, os.W_OK)):
    sys.exit(
        f"the results folder {STUDY}\n    found    {ANCESTOR}, which is not a folder that can be written\n"
        "    to do    make it writable, or name another with --config results=FOLDER"
    )

# the key that signs what leaves from here; read where it lies, by the job that signs
SIGNING_KEY = str(config["signing_key"]) if config.get("signing_key") else None

# what sites elsewhere sent
SITE_RESULTS = [
    PROTOCOL_FILE.parent / Path(entry.path).expanduser()
    for entry in PROTOCOL.pooling.site_results.values()
]

REGISTER = STUDY / "registration.jsonl"

# what every effect of a site waits for
SEAL = "<exact>/{site}/real/unsealed.json" if PROTOCOL.validation.blinded else []


# the sites' verdicts: the study's, where nothing is pooled after them
SITE_VERDICTS = "<exact>/verdicts.json" if PROTOCOL.pools else "<study>/verdict.json"

# every table of pooled answers
POOLED_TABLES = [
    f"<exact>/pooled/{dataset}/{way}.parquet"
    for dataset in (REAL, *PROTOCOL.generators)
    for way in ("individual", "aggregates")
    if (
        PROTOCOL.pools_aggregates
        if way == "aggregates"
        else dataset in PROTOCOL.pooled_datasets
    )
]


pathvars:
    study=str(STUDY),
    patients=str(STUDY / "patients"),
    exact=str(STUDY / "exact"),
    aggregates=str(STUDY / "aggregates"),
    logs=str(STUDY / "logs"),
    benchmarks=str(STUDY / "benchmarks"),


# batches of the fits to bootstrap resamples: snakemake --set-scatter fits=5
scattergather:
    fits=1,


FIT_BATCHES = (
    min(len(gather.fits("{scatteritem}")), PROTOCOL.synthesis.replicates)
    if PROTOCOL.synthesis.fit == "bootstrap"
    else 1
)


wildcard_constraints:
    scatteritem="[0-9]+-of-[0-9]+",
    round="[0-9]+",
    shadow="[0-9]+",
    site="|".join(PROTOCOL.sites),
    generator="|".join(PROTOCOL.generators),
    dataset="|".join((REAL, EXTERNAL_CONTROL, *PROTOCOL.generators)),


def whole_number(name, *, default, least):
    """A whole number from the command line."""
    found = str(config.get(name, default))
    if not found.isdecimal() or int(found) < least:
        sys.exit(
            f"--config {name}={found}\n    found    {found}\n    allowed  a whole number of at least {least}\n    to do    correct it, or leave it out for {default}"
        )
    return int(found)


# the target certify also serves a study whose verdict does without
CERTIFIED = PROTOCOL.validation.certification.repetitions > 0
REPETITIONS = PROTOCOL.validation.certification.repetitions or 200
CERTIFICATION_BATCHES = min(whole_number("batches", default=4, least=1), REPETITIONS)
EFFECTS = {
    name: getattr(PROTOCOL.validation.certification, name)
    for name in ("minimal_important_effect", "stronger_effect")
}

SEQUENTIAL = [
    name
    for name, settings in PROTOCOL.synthesis.generators.items()
    if settings.method == "sequential"
]
CHOSEN = str(config.get("generator", (*SEQUENTIAL, *PROTOCOL.generators)[0]))
if CHOSEN not in PROTOCOL.generators:
    sys.exit(
        f"--config generator={CHOSEN}\n    found    a name that is not in the protocol\n"
        f"    allowed  {', '.join(PROTOCOL.generators)}\n    to do    name one of them"
    )


def section(name):
    """A section of the protocol as a rule's params carry it."""
    return getattr(PROTOCOL, name).plain()


def sections(*names):
    """Several sections of the protocol as a rule's params carry them."""
    return {name: section(name) for name in names}


def enriched(pattern):
    """The pattern for the real patients and every generator of every site, where the protocol enriches a subgroup."""
    datasets = PROTOCOL.enriching_generators
    return expand(
        pattern, site=PROTOCOL.sites, dataset=(REAL, *datasets) if datasets else ()
    )


def source_files(*sites):
    """The files that the patients of these sites come from, of a release the list that vouches for all of them; none for a package."""
    sources = [PROTOCOL.data.sites[site] for site in sites]
    return [
        PROTOCOL_FILE.parent
        / Path(source.path).expanduser()
        / (SUMS if source.source == "release" else "")
        for source in sources
        if source.source in ("file", "release")
    ]


def measurement_files(*sites):
    """The files that hold the repeated measurements of these sites."""
    sources = [PROTOCOL.data.sites[site] for site in sites]
    return [
        PROTOCOL_FILE.parent / source.measurements.path
        for source in sources
        if source.source == "file" and source.measurements is not None
    ]


def measured(pattern):
    """An input that only a study with repeated measurements has."""
    return pattern if PROTOCOL.cohort.measurements else []


def source_version(source):
    """The version of the package that a site's patients come from; another one has its patients extracted again."""
    return find_version(source.package) if source.source == "package" else None


def released_sums(site):
    """The list of files of the release whose comparators stand beside a site's treated patients."""
    control = PROTOCOL.data.external_controls[site]
    return PROTOCOL_FILE.parent / Path(control.path).expanduser() / SUMS


def controlled(pattern):
    """An input: the pattern for every site with an external control."""

    def files(wildcards):
        if not PROTOCOL.data.external_controls:
            sys.exit(
                "data.external_controls\n    found    none\n    allowed  a released folder by the name of a site\n"
                "    to do    name one: external_controls: {SITE: {path: FOLDER}}"
            )
        return expand(pattern, site=PROTOCOL.data.external_controls)

    return files


def every(pattern, **wildcards):
    """The pattern for every site, and for every dataset or generator that it names."""
    return expand(
        pattern,
        site=PROTOCOL.sites,
        generator=PROTOCOL.generators,
        dataset=(REAL, *PROTOCOL.generators),
        **wildcards,
    )


def of_datasets(pattern):
    """The pattern for every dataset, and for every table that a site tells others of."""
    return expand(
        pattern,
        dataset=(REAL, *PROTOCOL.generators),
        table=("combined", "balance", "overlap"),
    )


def batches(pattern):
    """The pattern for every batch of fits, in their order; one where a generator is fitted once."""
    items = [f"{number}-of-{FIT_BATCHES}" for number in range(1, FIT_BATCHES + 1)]
    return expand(pattern, scatteritem=items, allow_missing=True)


def rounds(pattern):
    """The pattern for every batch of every refit without held-out patients: of each batch all rounds in their order."""
    numbers = range(1, PROTOCOL.synthesis.refits + 1)
    return [
        file
        for batch in batches(pattern)
        for file in expand(batch, round=numbers, allow_missing=True)
    ]


def seed_for(*purpose):
    """A param: the study's seed for a purpose, each part words with wildcards in braces, or a function of the wildcards."""

    def seed(wildcards):
        return derive_seed(
            PROTOCOL.study.seed,
            *(
                part(wildcards) if callable(part) else part.format(**dict(wildcards))
                for part in purpose
            ),
        )

    return seed


def seeds_for(*purpose, number=PROTOCOL.synthesis.replicates):
    """A param: a seed of a purpose for every replicate, or for so many."""
    replicates = map(str, range(number))
    seeds = [seed_for(*purpose, replicate) for replicate in replicates]
    return lambda wildcards: [seed(wildcards) for seed in seeds]


def fit_seeds_for(*purpose):
    """A param: the seeds of the fits to resamples, by replicate; of a batch of them every n-th one, n batches in all."""

    def seeds(wildcards):
        batch = dict(wildcards).get("scatteritem", "1-of-1")
        number, total = map(int, batch.split("-of-"))
        found = seeds_for(*purpose, "fit")(wildcards)
        return {
            replicate: found[replicate]
            for replicate in range(number - 1, PROTOCOL.synthesis.replicates, total)
        }

    return seeds


def refit_of(wildcards):
    """The purpose of a refit's seeds."""
    return name_refit(int(wildcards.round))


def pair_of(wildcards):
    """The pair of a shadow model, which has the same halves as the other of it."""
    return str(int(wildcards.shadow) // 2)


def shadows(pattern):
    """The pattern for every shadow model that the protocol asks for, in their order."""
    numbers = range(PROTOCOL.privacy.shadow_models)
    return expand(pattern, shadow=numbers, allow_missing=True)


def of_twins(pattern):
    """An input: the pattern for every site and the generator named on the command line, the first sequential one where none is."""

    def files(wildcards):
        if CHOSEN not in SEQUENTIAL:
            sys.exit(
                f"virtual twins of the generator {CHOSEN}\n    found    the method {PROTOCOL.synthesis.generators[CHOSEN].method}\n"
                "    allowed  sequential: others have no outcome given covariates and arm\n"
                f"    to do    name one with --config generator=NAME: {', '.join(SEQUENTIAL) or 'the protocol has none'}"
            )
        if PROTOCOL.synthesis.fit == "bootstrap":
            sys.exit(
                "synthesis.fit\n    found    bootstrap: a fit for each replicate, so that a patient has no one curve\n"
                "    allowed  single, for virtual twins\n    to do    set synthesis.fit: single, and results=FOLDER for this study"
            )
        return expand(pattern, site=PROTOCOL.sites, generator=CHOSEN)

    return files


def compared_with():
    """The finished study that is named on the command line for a comparison."""

    def files(wildcards):
        other = Path(str(config.get("with", ""))).expanduser()
        wanted = {
            name: other / name
            for name in ("estimates.csv", "verdict.json", "registration.jsonl")
        }
        if "with" not in config or not all(map(Path.is_file, wanted.values())):
            sys.exit(
                f"the study to compare with\n    found    {other if 'with' in config else 'none named'}\n"
                f"    allowed  the results folder of a finished study, with {', '.join(wanted)}\n"
                "    to do    name one with --config with=FOLDER"
            )
        return list(wanted.values())

    return files


def tuning_record():
    """What the target tune has written down, if it ever ran for this study."""
    from parallax.storage import read_json

    record = STUDY / "tuning.json"
    return read_json(record) if record.exists() else None


def answers_of(wildcards):
    """What the answers of a dataset are combined from; a generator's also from what says whether it drew patients, and how many there are."""
    files = {
        name: f"<exact>/{{site}}/{{dataset}}/{name}.parquet"
        for name in ("estimates", "subgroup_estimates", "permutations")
    }
    if wildcards.dataset != REAL:
        files |= {
            "generation": "<exact>/{site}/{dataset}/draw.parquet",
            "model": "<exact>/{site}/{dataset}/model.json",
            "cohort": "<patients>/{site}/{dataset}/cohort.parquet",
            "real": "<exact>/{site}/real/estimates.parquet",
            "real_cohort": "<patients>/{site}/real/cohort.parquet",
        }
    return files


def pooled_of(wildcards):
    """What the patients of all sites are pooled from: of a generator its replicates at every site, and what was decided on them."""
    if wildcards.dataset == REAL:
        return {}
    return {
        "synthetic": expand(
            "<patients>/{site}/{{dataset}}/cohort.parquet", site=PROTOCOL.pooled_sites
        ),
        "released": expand(
            "<patients>/{site}/released/cohort.parquet", site=PROTOCOL.joining_sites
        ),
        "records": expand(
            "<exact>/{site}/released/record.json", site=PROTOCOL.joining_sites
        ),
        "verdicts": SITE_VERDICTS,
    }


def enriched_of(wildcards):
    """What the effects in rare subgroups are estimated from: of a generator its enriched cohorts, beside what the real patients say."""
    if wildcards.dataset == REAL:
        return {}
    return {
        "cohort": "<patients>/{site}/{dataset}/enriched.parquet",
        "draws": "<exact>/{site}/{dataset}/enrichment_draws.parquet",
        "real": "<exact>/{site}/real/enrichment.parquet",
    }


def synthesis_of(site, generator):
    """The section synthesis with one generator only, as it is set at a site, a flat copula beside the protocol's: the others change nothing in its simulated studies."""
    settings = (
        {generator: PROTOCOL.synthesis.settings_at(site, generator)}
        if generator in PROTOCOL.generators
        else {FLAT_COPULA: FLAT}
    )
    return PROTOCOL.synthesis.model_copy(
        update={"generators": settings, "at_sites": {}, "enrichment": ()}
    ).plain()


def state_costs():
    """What is costly, before it starts: shadow models, and certifying a network."""
    if number := PROTOCOL.privacy.shadow_models:
        print(
            f"privacy.shadow_models fits every generator {number} times more at each site, to half of its patients: as many jobs, together "
            f"{number / 2:g} times the study's own fits where a fit's time grows with the patients"
        )
    state_certification_costs()


def state_certification_costs():
    """What certifying a network will take: from the study's own fit, where there is one."""
    from parallax.storage import read_benchmarks

    settings, synthesis = PROTOCOL.synthesis.generators, PROTOCOL.synthesis
    for name in PROTOCOL.certified_generators:
        done = list((STUDY / "exact").glob(f"*/certification/{name}/*.parquet"))
        if not GENERATORS[settings[name].method].network or done:
            continue
        each = synthesis.replicates if synthesis.fit != "single" else 1
        fits = 3 * REPETITIONS * each
        told = f"certifying {name} fits a network {fits} times at each site"
        jobs = [
            job
            for site in PROTOCOL.sites
            for job in batches(f"fit_generator/{site}/{name}/{{scatteritem}}")
        ]
        measured = read_benchmarks(STUDY / "benchmarks", jobs)
        seconds = [clock / each for _, clock in measured.values()]
        print(
            f"{told}, about {fits * sum(seconds) / 3600:.1f} hours on one core"
            if seconds
            else f"{told}; a fit's time is known once the study ran"
        )


def restrict_folders():
    """The study's folder is open as the user's mask has it; folders with row-level patients and unrounded tables are their owner's only."""
    os.umask(USERS_MASK)
    STUDY.mkdir(parents=True, exist_ok=True)
    os.umask(0o077)
    for folder in (STUDY / "patients", STUDY / "exact"):
        if folder.is_symlink():
            sys.exit(
                f"{folder}\n    found    a link\n    allowed  a folder of its own, which is closed to others\n"
                "    to do    remove it, and name the results folder where there is room: --config results=FOLDER"
            )
        folder.mkdir(exist_ok=True)
        # also what an older version or another hand left open; what a link leads to is not this study's
        for part in (folder, *folder.rglob("*")):
            if not part.is_symlink():
                part.chmod(0o700 if part.is_dir() else 0o600)


def register():
    """The protocol is added to the study's register before the first job, unless it is the last one there."""
    from datetime import UTC, datetime

    from parallax import __version__
    from parallax.provenance import read_commit
    from parallax.validation.registration import TRACES_OF_EFFECTS, register_protocol

    known = REGISTER.read_text(encoding="utf-8") if REGISTER.exists() else ""
    try:
        register = register_protocol(
            known,
            PROTOCOL,
            effects_known=any(
                any(STUDY.glob(pattern)) for pattern in TRACES_OF_EFFECTS
            ),
            registered=datetime.now(UTC).isoformat(timespec="seconds"),
            parallax=__version__,
            commit=read_commit(REPOSITORY),
        )
        if register != known:
            from parallax.storage import write_text

            write_text(REGISTER, register)
    except ParallaxError as error:
        sys.exit(str(error))


def print_verdicts():
    """What the run found, and where to read it; nothing where a part of the study was asked for."""
    if not all((STUDY / name).exists() for name in ("verdict.json", "report.html")):
        return
    from parallax.reporting.verdicts import summarise
    from parallax.storage import read_json

    print(summarise(read_json(STUDY / "verdict.json"), str(STUDY / "report.html")))

"""One run from the command line to the registered version."""

import json
import sys
from functools import partial

from mlplatform.cli.serving_api import credential
from mlplatform.embedders.artifacts import MODEL_FOLDER
from mlplatform.embedders.errors import EmbedderError
from mlplatform.embedders.folder import check_folder
from mlplatform.embedders.registering import KIND, SERVICE
from mlplatform.errors import PlatformError
from mlplatform.registry.errors import AliasNotFound, ModelNotFound, RegistryUnavailable, VersionNotFound
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.ownership import check_owner
from mlplatform.registry.registry import Registry
from mlplatform.retrieval.client import SearchClient
from mlplatform.settings import PlatformSettings, SettingsError
from mlplatform.training.console import Begin, open_console, progress
from mlplatform.training.failures import DONE, REFUSED, UNREACHABLE, BadData, UsageError
from rich.console import Console
from sentence_transformers import SentenceTransformer
from transformers.utils.logging import disable_progress_bar

import outcome as found
import recording
from arguments import Arguments
from failures import NO_BETTER, MiningFailed
from fitting import Recipe, fit, plan
from judged import Judged, Pair, choose_pairs, read_judged
from mining import Candidates, from_index, from_model, mine
from outcome import Outcome
from ranking import Embedded, embed, gain, measure

PREPARE = "mlp up, or mlp models register-embedder DIR and promote it"


def run(asked: Arguments) -> int:
    """Train, measure, log and register; return the exit status.

    Raises:
        TrainingError: The data or an option cannot be used; nothing was logged or registered.
    """
    disable_progress_bar()
    console = open_console(as_json=asked.as_json)
    try:
        settings = PlatformSettings()
    except SettingsError as error:
        raise UsageError(str(error)) from None
    judged = read_judged(asked.folder, share=asked.held_out, seed=asked.seed)
    registry = Registry(settings.mlflow_url)
    try:
        registry.ping()
        start, model = open_model(registry, settings, asked)
        if not asked.dry_run:
            check_owner(registry, asked.registered_name, SERVICE, KIND)
        found.show_data(console, start, judged)
        outcome = train(asked, settings, start=start, model=model, judged=judged, console=console)
        found.show_quality(console, outcome)
        return finish(registry, outcome, model, console)
    except RegistryUnavailable as error:
        sys.stderr.write(f"train.py: {error}\n")
        return UNREACHABLE
    except (PlatformError, EmbedderError) as error:
        sys.stderr.write(f"train.py: {error}\n")
        return REFUSED


def open_model(
    registry: Registry, settings: PlatformSettings, asked: Arguments
) -> tuple[ModelVersion, SentenceTransformer]:
    """Load the version to start from.

    Raises:
        BadData: There is no such version, or it is no embedding model.
        EmbedderError: Loading it could run code.
        RegistryUnavailable: MLflow is down.
    """
    try:
        version = registry.resolve(asked.model, asked.version)
    except (ModelNotFound, VersionNotFound, AliasNotFound) as error:
        raise BadData(f"{error.detail} To have one: {PREPARE}.") from None
    artifacts = registry.download(version.name, version.version, settings.home / "cache" / "models")
    folder = artifacts / MODEL_FOLDER
    if not folder.is_dir():
        raise BadData(f"version {version.version} of {version.name} is no model of sentence-transformers")
    check_folder(folder)
    try:
        model = SentenceTransformer(str(folder), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise EmbedderError(f"version {version.version} of {version.name} does not load: {error}") from error
    return version, model


def train(
    asked: Arguments,
    settings: PlatformSettings,
    *,
    start: ModelVersion,
    model: SentenceTransformer,
    judged: Judged,
    console: Console,
) -> Outcome:
    """Measure, mine, train in place and measure again.

    Args:
        asked: What the user asked for.
        settings: Where the search service is.
        start: The version that the model is.
        model: The model; it is changed.
        judged: What to train and measure on.
        console: Where progress is shown.

    Raises:
        MiningFailed: The index that was named gives no negatives.
        Diverged: The loss is no number any more.
    """
    pairs = choose_pairs(judged, asked.pairs, asked.seed)
    queries = {key: judged.train.queries[key] for key in dict.fromkeys(pair.query for pair in pairs)}
    texts = len(judged.documents) + len(judged.held_out.queries)
    recipe = Recipe(asked.epochs, asked.batch_size, asked.learning_rate, asked.max_tokens, asked.seed)
    with progress(console) as begin:
        advance = begin("measuring before", texts)
        documents = embed(model, judged.documents, "document", advance)
        before = measure(model, judged.held_out, documents, advance)
        asking = embed(model, queries, "query", begin("reading queries", len(queries)))
        candidates = find_candidates(asked, settings, judged, pairs, queries=asking, documents=documents, begin=begin)
        mined = partial(mine, judged, pairs, candidates, asking, documents)
        steps = plan(mined(count=asked.negatives, seed=asked.seed), judged.train.relevant, recipe)
        if not steps:
            raise BadData("the pairs have nothing to be told apart from: there are too few, and no --negatives")
        trained = begin("training", len(steps))
        losses = fit(model, judged, steps, recipe, lambda _: trained(1))
        advance = begin("measuring after", texts)
        after = measure(model, judged.held_out, embed(model, judged.documents, "document", advance), advance)
    return Outcome(
        arguments=asked,
        start=start,
        judged=judged,
        pairs=len(pairs),
        source=candidates.source,
        losses=tuple(losses),
        before=before,
        after=after,
        change=gain(before, after),
    )


def find_candidates(
    asked: Arguments,
    settings: PlatformSettings,
    judged: Judged,
    pairs: list[Pair],
    *,
    queries: Embedded,
    documents: Embedded,
    begin: Begin,
) -> Candidates:
    """Find candidates for negatives: in the index, else, unless one was named, by the model itself.

    Raises:
        MiningFailed: The index that was named gives none.
    """
    if not asked.negatives:
        return Candidates("nowhere", {})
    kind = asked.entity_type or f"eval-{judged.name}"
    keys = list(dict.fromkeys(pair.query for pair in pairs))
    try:
        with SearchClient(str(settings.search_url), credential(), kind) as api:
            return from_index(api, kind, judged, keys, begin(f"mining the index {kind}", len(keys)))
    except MiningFailed:
        if asked.entity_type is not None:
            raise
        return from_model(queries, documents)


def finish(registry: Registry, outcome: Outcome, model: SentenceTransformer, console: Console) -> int:
    """Log the run, and register the model if it is better or the user wants it anyway; return the exit status.

    Raises:
        RegistryUnavailable: MLflow does not answer any more.
        RegistryRefused: MLflow will not store it.
        EmbedderError: The model cannot be registered.
    """
    asked = outcome.arguments
    run = None if asked.dry_run else recording.record(registry, outcome)
    wanted = outcome.change.is_better or asked.register_anyway
    published = recording.register(registry, outcome, model, run) if run and wanted else None
    if run is None:
        console.print("dry run: nothing was logged or registered")
    else:
        console.print(f"run: {run.url}", markup=False)
    if published:
        version = published.version
        console.print(f"registered: {version.name} version {version.version}", markup=False)
        promote = f"promote_model.py --model {version.name} --version {version.version} --stage Production"
        console.print(f"next: python ../../scripts/{promote}", markup=False)
    if asked.as_json:
        content = found.document(outcome, published and published.version, run and run.url)
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
    if wanted:
        return DONE
    sys.stderr.write(
        f"train.py: it is {found.verdict(outcome.change)} on queries that it was not trained on, and was not "
        "registered. More judged queries or another --learning-rate may help; --register-anyway registers it.\n"
    )
    return NO_BETTER

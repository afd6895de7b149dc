"""`mlp search`: how good the answers of the search service are, and making them better."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlplatform.cli import search_view as view
from mlplatform.cli.options import Json
from mlplatform.cli.owner import FAILED, fail, load_settings
from mlplatform.cli.serving_api import credential

if TYPE_CHECKING:
    from mlplatform.retrieval.client import SearchClient
    from mlplatform.retrieval.evaluation import Evaluation

app = typer.Typer(help="Search: index, eval, tune, language.", no_args_is_help=True)

UNMEASURED = 2
"""Exit code when nothing could be measured."""
POLL_SECONDS = 0.5

Folder = Annotated[Path, typer.Argument(help="A folder in the layout of BEIR.", exists=True, file_okay=False)]
Url = Annotated[str | None, typer.Option("--url", help="Search service; default: ML_SEARCH_URL.")]
Split = Annotated[str, typer.Option("--split", help="Judgements to read: qrels/SPLIT.tsv.")]


@app.command(name="eval")
def evaluate(
    folder: Folder,
    *,
    url: Url = None,
    entity_type: Annotated[
        str | None, typer.Option("--entity-type", help="Kind to index the documents as; default: eval-FOLDER.")
    ] = None,
    split: Split = "test",
    indexed: Annotated[bool, typer.Option("--indexed", help="The documents are in the index already.")] = False,
    clean: Annotated[bool, typer.Option("--clean", help="Delete the documents afterwards.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait for the embeddings.")] = 600,
    at_least: Annotated[float, typer.Option("--at-least", help="Fused nDCG@10 below which the exit code is 1.")] = 0.0,
    mlflow: Annotated[bool, typer.Option(help="Log a run with plots in MLflow.")] = True,
    output: Annotated[Path | None, typer.Option("--output", help="Write the figures to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Measure nDCG@10, recall@100 and MRR of each leg and of both fused, on documents with judged queries."""
    from mlplatform.retrieval import evaluation as measuring  # noqa: PLC0415 - `mlp --help` must answer at once
    from mlplatform.retrieval.collection import read_collection  # noqa: PLC0415 - see above

    name = folder.resolve().name
    with _explained():
        collection = read_collection(folder, split)
        with _client(url, entity_type or f"eval-{name}") as api:
            with view.progress(quiet=as_json) as progress:
                documents: dict[str, float] = (
                    {"documents": len(collection.documents)}
                    if indexed
                    else measuring.load(api, collection, timeout, progress)
                )
                measured = measuring.evaluate(api, collection.queries, collection.relevant, documents, progress)
            if clean:
                api.delete(list(collection.documents))
    summary = {"collection": name, **measured.summary()}
    if mlflow:
        summary["run"] = _record(measured, name)
    if output is not None:
        output.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        view.show_evaluation(summary, at_least)
    if summary["rankings"][measuring.FUSED]["ndcg_at_10"] < at_least:
        raise typer.Exit(FAILED)


@app.command()
def tune(
    folder: Folder,
    *,
    entity_type: Annotated[str, typer.Option("--entity-type", help="Kind of the items that the judgements name.")],
    url: Url = None,
    split: Split = "test",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Fit the weight of vectors against words to judged queries, and set it when others of them gain by it.

    The folder needs queries.jsonl and qrels/SPLIT.tsv; the items are those of the index, by their ids.
    """
    from mlplatform.retrieval import tuning  # noqa: PLC0415 - `mlp --help` must answer at once
    from mlplatform.retrieval.collection import read_judgements  # noqa: PLC0415 - see above
    from mlplatform.retrieval.shares import ndcg_by_weight, read_shares  # noqa: PLC0415 - see above

    with _explained():
        judged = read_judgements(folder, split)
        rows, present = [], 0.0
        with _client(url, entity_type) as api, view.progress(quiet=as_json) as progress:
            for number, (key, query) in enumerate(judged.queries.items(), start=1):
                shares, present = read_shares(api, query)
                rows.append(ndcg_by_weight(shares, judged.relevant[key]))
                progress("search", number, len(judged.queries))
        if not any(map(any, rows)):
            fail(f"no relevant document was found: are the ids those of items of the kind {entity_type}?", UNMEASURED)
        try:
            found = tuning.fit(rows, present)
        except tuning.TooFewQueriesError as error:
            fail(str(error), UNMEASURED)
        is_set = found.is_gain and not dry_run
        if is_set:
            with _client(url, entity_type) as api:
                api.set_weight(found.weight, found.figures())
    if as_json:
        typer.echo(json.dumps({"entity_type": entity_type, **found.figures(), "set": is_set}))
        return
    view.show_tuning(entity_type, found, tuning.curve(rows), is_set=is_set)


@app.command()
def language(
    entity_type: Annotated[str, typer.Argument(help="Kind of the items.")],
    wanted: Annotated[
        str | None, typer.Argument(metavar="[LANGUAGE]", help="Such as german, or simple for words as they are.")
    ] = None,
    *,
    url: Url = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until every item is indexed in it.")] = False,
    as_json: Json = False,
) -> None:
    """Show or set the language in which the words of items are indexed, and how many items still wait for it."""
    with _explained(FAILED), _client(url, entity_type) as api:
        told = api.settings() if wanted is None else api.set_language(wanted)
        if wait and told["waiting"]:
            with view.progress(quiet=as_json) as progress:
                most = told["waiting"]
                while told["waiting"]:
                    progress("index", most - told["waiting"], most)
                    time.sleep(POLL_SECONDS)
                    told = api.settings()
                    most = max(most, told["waiting"])
    if as_json:
        typer.echo(json.dumps({name: told[name] for name in ("entity_type", "language", "waiting")}))
    else:
        view.show_language(told)


def _client(url: str | None, entity_type: str) -> "SearchClient":
    from mlplatform.retrieval.client import SearchClient  # noqa: PLC0415 - loads httpx, and `mlp --help` must not wait

    return SearchClient(url or str(load_settings().search_url), credential(), entity_type)


def _record(measured: "Evaluation", collection: str) -> str | None:
    """Log a run; without MLflow the figures are still worth having."""
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # standard output may be a JSON document
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    try:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - takes seconds, and may not be installed

        from mlplatform.retrieval.record import record  # noqa: PLC0415 - the same
    except ImportError as error:
        view.warn(f"no run was logged: {error.name} is not installed (ml-platform[serving])")
        return None
    try:
        return record(measured, collection, str(load_settings().mlflow_url), {})
    except MlflowException as error:
        view.warn(f"no run was logged: {error.message}")
        return None


@contextmanager
def _explained(status: int = UNMEASURED) -> Iterator[None]:
    from mlplatform.retrieval.client import ServiceError  # noqa: PLC0415 - `mlp --help` must answer at once
    from mlplatform.retrieval.collection import CollectionError  # noqa: PLC0415 - see above
    from mlplatform.retrieval.evaluation import EmbeddingTimeoutError  # noqa: PLC0415 - see above

    try:
        yield
    except (CollectionError, ServiceError, EmbeddingTimeoutError) as error:
        fail(str(error), status)

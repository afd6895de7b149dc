"""Coverage-guided fuzzing of the wire protocols' parsers; not part of the suite.

    pip install atheris
    python tests/fuzz/fuzz_parsers.py -max_total_time=60

Stops at the first input that makes a parser raise anything but an error of the caller's, and writes it to a file
`crash-…`; give that file as an argument to run it again. Options are libFuzzer's.
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))

with atheris.instrument_imports(include=["services.model_serving.protocols", "services.model_serving.signature"]):
    from services.model_serving.protocols.mlflow_scoring.content_type import Form
    from services.model_serving.protocols.mlflow_scoring.json_request import JsonRequest
    from services.model_serving.protocols.mlflow_scoring.table_request import TableRequest
    from services.model_serving.protocols.open_inference.infer_body import InferBody
    from services.model_serving.signature import MLFLOW, MLFLOW_COMPAT
    from tests.unit.model_serving.protocols import models

from mlplatform.errors import PlatformError

SEEDS = [
    b'{"dataframe_split":{"columns":["a","b"],"data":[[1,2.5],[null,NaN]],"index":[0,1]},"params":{"k":2}}',
    b'{"dataframe_records":[{"a":1,"b":2}]}',
    b'{"instances":[{"x":[1,2],"y":1}]}',
    b'{"inputs":{"n":[1],"s":["a"],"t":["2026-01-02"],"ids":[[1]],"x":["YQ=="]}}',
    b'{"prompt":"x","k":3}',
    b"a,b\n1,2\n",
    b'{"id":"1","inputs":[{"name":"a","shape":[1,2],"datatype":"FP64","data":[[1,2]]}],"outputs":[{"name":"o"}]}',
    b'{"inputs":[{"name":"a","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":10}}]}',
]
CHOICES = 3


def test_one_input(data: bytes) -> None:
    """Read one body by the protocol, the model and the header that its first bytes choose."""
    if len(data) < CHOICES:
        return
    protocol, which, cut = data[:CHOICES]
    body, model = data[CHOICES:], models.ALL[which % len(models.ALL)]
    readings = (
        JsonRequest(body, MLFLOW),
        JsonRequest(body, MLFLOW_COMPAT),
        TableRequest(body, Form.CSV, MLFLOW, models.MAX_ROWS),
        InferBody(body, None),
        InferBody(body, str(max(0, len(body) - cut))),
        InferBody(body, "0"),
    )
    try:
        readings[protocol % len(readings)].read(model)
    except PlatformError as error:
        if error.status >= 500:
            raise


def main() -> None:
    """Fuzz."""
    corpus = Path(sys.argv[0]).with_name("corpus")
    corpus.mkdir(exist_ok=True)
    for position, seed in enumerate(SEEDS):
        for protocol in range(6):
            (corpus / f"{position}-{protocol}").write_bytes(bytes([protocol, position, 10]) + seed)
    atheris.Setup([*sys.argv, str(corpus)] if not any(map(_is_file, sys.argv[1:])) else sys.argv, test_one_input)
    atheris.Fuzz()


def _is_file(argument: str) -> bool:
    return Path(argument).is_file()


if __name__ == "__main__":
    main()

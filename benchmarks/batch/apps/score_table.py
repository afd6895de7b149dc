"""What a job is compared with: reads a CSV, predicts and writes Parquet; prints the seconds of that alone.

Either is a file, or an address of an object store that needs no credentials.
"""

import sys
import time
from io import BytesIO
from urllib.request import Request, urlopen

import mlflow.sklearn
import pandas as pd

uri, source, target = sys.argv[1:]
model = mlflow.sklearn.load_model(uri)
begun = time.perf_counter()
table = pd.read_csv(source)
answers = pd.DataFrame({"prediction": model.predict(table)})
if target.startswith("http"):
    content = BytesIO()
    answers.to_parquet(content, index=False)
    with urlopen(Request(target, content.getvalue(), method="PUT")):  # noqa: S310 - it is our store
        pass
else:
    answers.to_parquet(target, index=False)
print(time.perf_counter() - begun)

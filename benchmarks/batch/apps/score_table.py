"""What a job is compared with: reads a CSV, predicts and writes Parquet; prints the seconds of that alone."""

import sys
import time

import mlflow.sklearn
import pandas as pd

model = mlflow.sklearn.load_model(sys.argv[1])
begun = time.perf_counter()
table = pd.read_csv(sys.argv[2])
pd.DataFrame({"prediction": model.predict(table)}).to_parquet(sys.argv[3], index=False)
print(time.perf_counter() - begun)

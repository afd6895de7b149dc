"""Several stock scoring servers in one process, each under the name of its model.

Run as `uvicorn stock_app:app` with MODELS=name=folder,name=folder.
"""

import os

import mlflow.pyfunc
from mlflow.pyfunc.scoring_server import init
from starlette.applications import Starlette
from starlette.routing import Mount

app = Starlette(
    routes=[
        Mount(f"/{name}", init(mlflow.pyfunc.load_model(folder)))
        for name, _, folder in (entry.partition("=") for entry in os.environ["MODELS"].split(","))
    ]
)

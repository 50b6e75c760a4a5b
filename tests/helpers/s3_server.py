"""An S3 server on loopback, with real requests and its objects in memory."""

import contextlib
from collections.abc import Iterator

import s3fs
from moto.server import ThreadedMotoServer

BUCKET = "lab"


@contextlib.contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """A server with a bucket; the environment variables by which s3fs finds it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        environment = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        system = s3fs.S3FileSystem(
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            key=environment["AWS_ACCESS_KEY_ID"],
            secret=environment["AWS_SECRET_ACCESS_KEY"],
        )
        system.mkdir(BUCKET)
        yield environment
    finally:
        server.stop()

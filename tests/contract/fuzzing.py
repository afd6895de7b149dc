"""What the fuzzer has to be told: how bodies of lines are written. It writes JSON, text and forms by itself."""

import schemathesis

schemathesis.serializer.alias("application/x-ndjson", "text/plain")

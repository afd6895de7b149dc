"""One package per service; they talk over HTTP, Redis Streams or the tables that one of them owns."""

"""Search service: keeps the items of each tenant, and answers queries from their embeddings in Postgres."""

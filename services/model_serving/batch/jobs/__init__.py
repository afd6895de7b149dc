"""Jobs as their owners see them: submitted, watched, cancelled, retried."""
